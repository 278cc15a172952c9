// The first thing one sees: how it went, why it failed, how that compares with the runs before.

function verdictText() {
  const failed = counts.failed;
  if (run.interrupted) return ['failed', 'Interrupted by ' + run.interrupted];
  if (!tests.length) return ['pending', 'No test ran'];
  if (failed) {
    const word = failed - outside, parts = [];
    if (word) parts.push(word.toLocaleString('en') + ' of ' + count(timed, 'test') + ' failed');
    if (outside) parts.push(count(outside, 'error') + ' outside tests');
    return ['failed', parts.join(', ')];
  }
  if (counts.flaky) return ['flaky', 'All passed, ' + counts.flaky + ' flaky'];
  if (!counts.passed) return ['pending', 'Nothing but pending tests'];
  return ['passed', timed === 1 ? 'The test passed' : 'All ' + counts.passed.toLocaleString('en') + ' passed'];
}

function proportions() {
  const all = tests.length || 1;
  return el('div', { class: 'proportions', role: 'img', 'aria-label': Object.keys(outcomes).map(name => counts[name] + ' ' + outcomes[name].word).join(', ') },
    Object.keys(outcomes).map(name => counts[name] ? el('i', { class: name, style: { 'flex-grow': String(Math.max(counts[name], all / 160)) } }) : null));
}

function tiles() {
  return el('ul', { class: 'tiles' }, Object.keys(outcomes).map(name => el('li', {}, el('button', {
    type: 'button', class: 'tile ' + (counts[name] ? name : 'zero'), disabled: !counts[name], onclick: () => { onlyOutcome(name); showList(); },
  }, el('b', {}, counts[name].toLocaleString('en')), el('span', {}, el('span', { 'aria-hidden': 'true' }, outcomes[name].sign + ' '), outcomes[name].word)))));
}

// The command that runs all of them again.
function againOfAll(list) {
  const places = new Set(list.map(test => test.letter === 'o' || raw.places[test.index] ? test.file.path : test.place));
  for (const place of places) if (places.has(place.replace(/:\d+$/, '')) && /:\d+$/.test(place)) places.delete(place);
  return 'itlua ' + Array.from(places, shellWord).join(' ');
}

function causeCard(group) {
  const problem = group.problem, n = group.tests.length;
  const said = (problem.c || problem.m || 'no details').split('\n', 1)[0];
  const first = problem.c ? said.charAt(0).toUpperCase() + said.slice(1) : said;
  const differs = !problem.c && (problem.f || '').split('\n').filter(line => /\S/.test(line)).slice(0, 3).join('\n');
  const more = n > 4 ? el('button', { type: 'button', class: 'more', onclick: () => { state.cause = group; state.outcomes.clear(); chips(); refresh(); showList(); } },
    'Show all ' + n.toLocaleString('en')) : null;
  return el('li', { class: 'card' }, el('p', { class: 'card-head' }, el('span', { class: 'pill failed' }, n === 1 ? '1 failure' : n.toLocaleString('en') + ' failures'),
    el('span', { class: 'dim' }, group.files.size > 1 ? 'in ' + group.files.size + ' files' : Array.from(group.files)[0].path), problem.e ? el('code', {}, problem.e) : null,
    el('span', { class: 'card-tool' }, copyButton(() => againOfAll(group.tests), 'Copy command'))),
    el('p', { class: 'first' }, first), differs ? el('pre', { class: 'excerpt' }, differs) : null, testLinks(group.tests, n > 4 ? 3 : 4), more);
}

function trend() {
  const runs = raw.history.slice(-40), last = runs[runs.length - 1];
  if (last && Math.abs(last.at - run.at) > 2) {
    runs.push({ at: run.at, seconds: run.seconds, passed: counts.passed + counts.flaky, failed: counts.failed, errors: 0, pending: counts.pending, flaky: counts.flaky });
  }
  if (runs.length < 2) return null;
  // One run that took very long would make the others look alike.
  const times = runs.map(one => one.seconds).sort((a, b) => a - b);
  const most = Math.max(times[times.length - 1], 0.001), longest = Math.min(most, Math.max(times[times.length >> 1] * 3, 0.001));
  const bad = one => one.failed + one.errors;
  const line = one => when(one.at) + ': ' + count(one.passed, 'passed', 'passed') + (bad(one) ? ', ' + bad(one) + ' failed' : '') +
    (one.flaky ? ', ' + one.flaky + ' flaky' : '') + ', ' + duration(one.seconds * 1000);
  const chart = el('div', { class: 'trend', 'aria-hidden': 'true' }, runs.map(one => el('i', { class: bad(one) ? 'failed' : one.flaky ? 'flaky' : 'passed', title: line(one),
    style: { height: Math.min(100, Math.max(6, one.seconds / longest * 100)) + '%' } })));
  return section('The last ' + runs.length + ' runs', el('p', { class: 'dim' }, 'Height is duration (' + (most > longest ? 'cut at ' : 'up to ') + duration(longest * 1000) + '); ' +
    count(runs.filter(one => !bad(one)).length, 'run') + ' passed.'), chart,
    el('details', {}, el('summary', {}, 'As a list'), el('ol', { class: 'plain', reversed: true }, runs.slice().reverse().map(one => el('li', {}, line(one))))));
}

function bars(list) {
  const longest = Math.max(...list.map(test => test.ms), 0.001);
  return el('ol', { class: 'bars' }, list.map(test => el('li', {}, el('a', { href: test.hash }, test.path.length ? el('span', { class: 'path' }, test.path.join(' · ') + ' · ') : null, test.own),
    el('span', { class: 'track', 'aria-hidden': 'true' }, el('i', { class: 'bar ' + test.outcome, style: { width: Math.max(0.5, test.ms / longest * 100) + '%' } })),
    el('span', { class: 'ms' }, duration(test.ms)))));
}

function leftNode() {
  const lines = [];
  for (const test of tests) if (raw.details[test.index] && test.detail.left) lines.push(el('li', {}, test.detail.left, ' ', el('a', { href: test.hash }, 'by ' + test.own)));
  for (const file of files) if (file.left) lines.push(el('li', {}, file.left, ' ', el('a', { href: '#/file/' + file.index }, 'by ' + file.path)));
  return lines.length ? section('Left open', el('ul', { class: 'plain' }, lines.slice(0, 50))) : null;
}

function runFacts() {
  const rows = [['began', run.at ? when(run.at) : null], ['took', duration(run.seconds * 1000)], ['files', files.length.toLocaleString('en')],
    ['workers', run.jobs + (run.concurrency > 1 ? ' × ' + run.concurrency + ' files at a time' : '')], ['profile', run.profile],
    ['seed', run.seed !== undefined ? run.seed + (run.randomized ? ' (shuffled)' : '') : null], ['itlua', run.version]];
  return section('This run', el('dl', { class: 'facts-list' }, rows.filter(row => row[1]).map(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))])));
}

function overview() {
  const [kind, text] = verdictText();
  const slow = tests.filter(test => test.ms >= 1 && test.letter !== 'o').sort((a, b) => b.ms - a.ms).slice(0, 8);
  const flaky = tests.filter(test => test.outcome === 'flaky');
  const found = causes();
  return el('article', { class: 'overview' },
    el('header', { class: 'title' }, el('h1', { class: kind }, text), run.unfinished ? el('p', { class: 'note' }, 'The recording of this run ends early.') : null,
      run.nothing ? el('p', { class: 'note' }, run.nothing) : null),
    proportions(), tiles(),
    found.length ? section(found.length === 1 ? 'One cause' : found.length + ' causes', el('ul', { class: 'cards' }, found.slice(0, 30).map(causeCard)),
      found.length > 30 ? el('p', { class: 'dim' }, 'and ' + (found.length - 30) + ' more') : null) : null,
    flaky.length ? section('Flaky', testLinks(flaky, 20)) : null,
    el('div', { class: 'columns' }, trend(), slow.length ? section('Slowest tests', bars(slow)) : null, runFacts(), leftNode()));
}
