// One test with its anatomy, in the order in which the terminal has it: what went wrong, where, what happened before it,
// what was printed, the likely cause, and how to run it again. Also a file's page.

function header(title, path, facts) {
  return el('header', { class: 'title' }, path.length ? el('p', { class: 'crumbs' }, path.join(' · ')) : null, el('h1', {}, title),
    el('p', { class: 'facts' }, facts));
}

function message(problem) {
  const lines = problem.m.split('\n');
  const rest = lines.slice(1).join('\n').replace(/^\n+/, '');
  return el('div', { class: 'message' }, el('p', { class: 'first' }, lines[0] || 'failed'),
    rest ? bounded(rest, 60, part => el('pre', { tabindex: '0' }, part)) : null);
}

// "path   expected X   got Y": each in its place, so that what differs is seen at a glance.
function diffNode(text) {
  const rows = text.split('\n'), table = [];
  const notes = [];
  for (const row of rows) {
    const found = /^\s*(.*?)\s{2,}expected\s+(.*?)\s{2,}got\s+(.*)$/.exec(row);
    const lone = !found && /^\s*(.*?)\s{2,}expected\s+(.*?)\s{2,}(missing)\s*$/.exec(row);
    const surplus = !found && !lone && /^\s*(\S.*?)\s{2,}unexpected (.*)$/.exec(row);
    const m = found || lone || surplus && [row, surplus[1], 'nothing', surplus[2]];
    if (m) table.push(el('tr', {}, el('th', { scope: 'row' }, m[1]), el('td', { class: 'expected' }, m[2]), el('td', { class: 'got' }, m[3])));
    else if (row.trim()) notes.push(row);
  }
  if (!table.length) return bounded(text, 80, part => el('pre', { class: 'diff', tabindex: '0' }, part.split('\n').map(diffLine)));
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'What differs' },
    notes.length ? el('p', { class: 'dim pre' }, notes.join('\n')) : null,
    el('table', { class: 'differs' }, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'where'), el('th', { scope: 'col' }, 'expected'),
      el('th', { scope: 'col' }, 'got'))), el('tbody', {}, table)));
}

function diffLine(line) {
  const kind = /^\s*[-−]/.test(line) ? 'expected' : /^\s*\+/.test(line) ? 'got' : '';
  return el('span', { class: kind }, line + '\n');
}

function sourceNode(problem) {
  if (!problem.src) return null;
  return el('div', { class: 'source', role: 'group', 'aria-label': 'Source around ' + (problem.at || 'the failing line') },
    problem.at ? el('div', { class: 'source-head' }, el('span', {}, problem.at), copyButton(problem.at, 'Copy')) : null,
    el('pre', { tabindex: '0' }, problem.src.map(([number, code, here]) => el('span', { class: here ? 'here' : '' },
      el('i', {}, (here ? '▸ ' : '  ') + String(number).padStart(4)), ' ' + code + '\n'))));
}

// When its time was over: what each of its tasks waited for.
function waitsNode(problem) {
  if (!problem.wait) return null;
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'What it waited for' },
    el('p', { class: 'dim' }, problem.wait.length === 1 ? 'It waited for' : 'It waited, in ' + problem.wait.length + ' tasks, for'),
    el('table', { class: 'differs' }, el('thead', {}, el('tr', {}, ['where', 'what', 'for'].map(name => el('th', { scope: 'col' }, name)))),
      el('tbody', {}, problem.wait.map(([where, what, detail, ms, spawned]) => el('tr', {}, el('th', { scope: 'row' }, where,
        spawned ? el('div', { class: 'dim' }, 'in a task spawned at ' + spawned) : null),
        el('td', {}, el('b', { class: 'what p-' + protocolOf(what) }, what), ' ', detail), el('td', { class: 'got' }, duration(ms)))))));
}

// The texts that the terminal prints in columns after a likely cause keep their lines.
function causeNode(problem) {
  if (!problem.c) return null;
  const [first, ...rest] = problem.c.split('\n');
  return el('div', { class: 'cause', role: 'note', 'aria-label': 'Likely cause' }, el('b', {}, 'Likely cause'), el('p', {}, first.charAt(0).toUpperCase() + first.slice(1)),
    rest.length ? el('pre', {}, rest.join('\n')) : null);
}

function commandNode(label, text) {
  return el('div', { class: 'command' }, el('span', {}, label), el('code', { tabindex: '0' }, text), copyButton(text, 'Copy'));
}

function problemNode(problem, several) {
  return el('section', { class: 'problem', 'aria-label': problem.k },
    el('p', { class: 'kind' }, several && problem.w ? problem.w + ' · ' : '', problem.k, problem.e ? ' · ' + problem.e : ''),
    message(problem),
    problem.f ? diffNode(problem.f) : null,
    problem.full ? el('details', {}, el('summary', {}, 'The whole message'), el('pre', { class: 'text', tabindex: '0' }, problem.full)) : null,
    problem.pos ? el('p', { class: 'dim' }, 'raised at ', el('code', {}, problem.pos)) : null,
    waitsNode(problem), sourceNode(problem),
    problem.nr ? el('p', { class: 'note' }, 'Not run for it: ' + problem.nr + '.') : null);
}

function logNodes(logs) {
  return Object.keys(logs || {}).map(name => section('Log of ' + name, bounded(logs[name], 60, ansi)));
}

// What is known of one attempt.
function anatomy(detail, earlier) {
  const problems = detail.p || [];
  const parts = problems.map(problem => problemNode(problem, problems.length > 1));
  parts.push(waterfall(timelineOf(detail)));
  if (detail.out) parts.push(section('Output', bounded(detail.out, 60, ansi)));
  parts.push(logNodes(detail.logs));
  const stack = problems.find(problem => problem.tb && problem.tb.includes('\n'));
  if (stack) parts.push(el('details', {}, el('summary', {}, 'Stack'), el('pre', { class: 'text', tabindex: '0' }, stack.tb)));
  parts.push(problems.map(causeNode));
  if (detail.left) parts.push(section('Left open', el('pre', { class: 'text' }, detail.left)));
  const first = problems[0];
  if (first && (first.again || first.curl) && !earlier) {
    parts.push(section('Run it again', first.again ? commandNode('test', first.again) : null, first.curl ? commandNode('request', first.curl) : null,
      first.seed ? el('p', { class: 'dim' }, 'shuffled with seed ' + first.seed) : null));
  }
  return parts;
}

function againOf(test) {
  const problem = (test.detail.p || [])[0];
  const earlier = test.detail.att && (test.detail.att[0].d.p || [])[0];
  return problem && problem.again || earlier && earlier.again || 'itlua ' + shellWord(test.place);
}

function attemptsNode(test) {
  const list = test.detail.att;
  return section('Earlier attempts', el('p', { class: 'dim' }, test.outcome === 'flaky' ?
    'It failed ' + (list.length === 1 ? 'once' : list.length + ' times') + ' and then passed: it is flaky.' : 'It failed each of ' + count(list.length + 1, 'time') + '.'),
    list.map((attempt, i) => el('details', { class: 'attempt', open: test.outcome === 'flaky' && i === 0 },
      el('summary', {}, sign('failed'), ' Attempt ' + (i + 1), el('span', { class: 'dim' }, ' · ' + duration(attempt.ms))), anatomy(attempt.d, true))));
}

function neighbours(test) {
  const i = indexOfRow(test);
  const find = step => {
    for (let k = i + step; i >= 0 && k >= 0 && k < state.rows.length; k += step) if (state.rows[k].test) return state.rows[k].test;
  };
  const link = (other, label) => other ? el('a', { href: other.hash, class: 'step', title: other.full }, label) : el('span', { class: 'step off' }, label);
  return el('nav', { class: 'steps', 'aria-label': 'Neighbours' }, el('a', { href: '#/tests', class: 'step back narrow' }, '‹ Tests'),
    link(find(-1), '‹ Previous'), link(find(1), 'Next ›'));
}

function testView(test) {
  const detail = test.detail;
  const word = { f: 'failed', e: 'error', o: 'error outside tests', k: 'flaky', p: 'pending', s: 'passed' }[test.letter];
  const facts = [
    el('span', { class: 'pill ' + test.outcome }, el('span', { 'aria-hidden': 'true' }, outcomes[test.outcome].sign + ' '), word),
    el('a', { href: '#/file/' + test.file.index, class: 'place' }, test.place),
    test.letter !== 'o' && test.outcome !== 'pending' ? el('span', {}, duration(test.ms)) : null,
    test.at >= 0 ? el('span', { class: 'dim' }, duration(test.at) + ' into the run, worker ' + test.file.worker) : null,
    test.tags.map(tag => el('button', { type: 'button', class: 'tag', onclick: () => search(tag) }, tag)),
  ];
  const parts = [neighbours(test), header(test.own || '(no name)', test.path, facts)];
  if (detail.pend) parts.push(el('p', { class: 'note' }, detail.pend));
  parts.push(anatomy(detail));
  if (detail.cut) parts.push(el('p', { class: 'note' }, 'The rest of it is left out, for this report is large: itlua -o jsonl keeps all of it.'));
  if (detail.att) parts.push(attemptsNode(test));
  if (test.outcome === 'passed' && !detail.tl && !detail.out) {
    parts.push(el('p', { class: 'dim' }, raw.details[test.index] || !run.cut ? 'It passed, and there is nothing more to say of it.' :
      'It passed. What passing tests did is left out of large reports: itlua -o jsonl keeps all of it.'));
  }
  if (!(detail.p || []).some(problem => problem.again)) parts.push(section('Run it again', commandNode('test', againOf(test))));
  return el('article', { class: 'test' }, parts);
}

function fileView(file) {
  const facts = [el('span', {}, count(file.tests.filter(test => test.letter !== 'o').length, 'test')),
    Object.keys(outcomes).map(name => file[name] ? sign(name, file[name] + ' ' + outcomes[name].word) : null), el('span', {}, duration(file.ms)),
    el('span', { class: 'dim' }, 'worker ' + file.worker)];
  const slowest = file.tests.slice().sort((a, b) => b.ms - a.ms).slice(0, 10);
  return el('article', { class: 'test' }, el('nav', { class: 'steps', 'aria-label': 'Back' }, el('a', { href: '#/tests', class: 'step back narrow' }, '‹ Tests')),
    header(file.path || '(run)', [], facts),
    file.crashed ? el('div', { class: 'cause' }, el('b', {}, 'Its worker ended'), el('p', {}, file.crashed)) : null,
    file.skipped ? el('p', { class: 'note' }, 'Skipped: ' + file.skipped) : null,
    file.blocked ? el('p', { class: 'note' }, 'It held its worker for ' + duration(file.blocked) + '; other files had to wait.') : null,
    file.failed ? section('Failures', testLinks(file.tests.filter(test => test.outcome === 'failed'))) : null,
    slowest.length ? section('Slowest tests', bars(slowest)) : null,
    file.out ? section('Output', bounded(file.out, 60, ansi)) : null,
    file.left ? section('Left open', el('pre', { class: 'text' }, file.left)) : null,
    section('Run it again', commandNode('file', 'itlua ' + shellWord(file.path))));
}

function testLinks(list, limit) {
  const shown = list.slice(0, limit || 200);
  return el('ul', { class: 'links' }, shown.map(test => el('li', {}, sign(test.outcome), ' ', el('a', { href: test.hash },
    test.path.length ? el('span', { class: 'path' }, test.path.join(' · ') + ' · ') : null, test.own), el('span', { class: 'dim place' }, test.place))));
}
