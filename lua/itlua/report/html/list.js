// The list of tests: filter, order, and a window of rows that moves with the scroll position, so that 10,000 rows cost
// as much as a screenful.

const state = { words: '', outcomes: new Set(), cause: null, order: 'trouble', rows: [], at: -1, matched: 0 };

const listBox = byId('list'), rowsBox = byId('rows');
let rowHeight = 34;

// ---- which rows

function matcher() {
  const terms = state.words.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = terms.filter(term => term[0] !== '-' || term === '-');
  const unwanted = terms.filter(term => term[0] === '-' && term !== '-').map(term => term.slice(1));
  const cause = state.cause && new Set(state.cause.tests);
  return test => {
    if (state.outcomes.size && !state.outcomes.has(test.outcome)) return false;
    if (cause && !cause.has(test)) return false;
    if (!terms.length) return true;
    const text = test.haystack;
    return wanted.every(term => text.includes(term)) && !unwanted.some(term => text.includes(term));
  };
}

const trouble = { failed: 0, flaky: 1, pending: 2, passed: 2 };

function fileOrder() {
  const all = files.filter(file => file.tests.length || file.crashed || file.skipped);
  if (state.order === 'trouble') {
    const rank = file => file.failed || file.crashed ? 0 : file.flaky ? 1 : 2;
    return all.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
  }
  if (state.order === 'name') return all.sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.index - b.index);
  return all;
}

function filtered() {
  const fits = matcher(), rows = [];
  let matched = 0;
  const bare = !state.words && !state.outcomes.size && !state.cause;
  if (state.order === 'slow') {
    const found = tests.filter(fits).sort((a, b) => b.ms - a.ms);
    return { rows: found.map(test => ({ test })), matched: found.length };
  }
  for (const file of fileOrder()) {
    let found = file.tests.filter(fits);
    if (!found.length && !(bare && (file.crashed || file.skipped))) continue;
    if (state.order === 'trouble') found = found.slice().sort((a, b) => trouble[a.outcome] - trouble[b.outcome] || a.index - b.index);
    matched += found.length;
    rows.push({ file, shown: found.length });
    for (const test of found) rows.push({ test });
  }
  return { rows, matched };
}

// ---- rows on the screen

function testRow(test) {
  const name = el('span', { class: 'name' });
  if (test.path.length) name.append(el('span', { class: 'path' }, test.path.join(' · ') + ' · '));
  name.append(test.own || '(no name)');
  return [sign(test.outcome), name, el('span', { class: 'ms' }, test.letter === 'o' ? '' : duration(test.ms))];
}

function fileRow(file, shown) {
  const facts = ['failed', 'flaky'].filter(name => file[name]).map(name => el('span', { class: 'sign ' + name },
    el('span', { 'aria-hidden': 'true' }, outcomes[name].sign + ' '), String(file[name]), el('span', { class: 'hidden' }, ' ' + name)));
  if (file.crashed) facts.push(el('span', { class: 'sign failed' }, 'crashed'));
  if (file.skipped) facts.push(el('span', { class: 'sign pending' }, 'skipped'));
  if (shown !== file.tests.length) facts.push(el('span', { class: 'dim' }, shown + ' of ' + file.tests.length));
  return [el('span', { class: 'name' }, el('bdi', {}, file.path || '(run)')), facts, el('span', { class: 'ms' }, duration(file.ms))];
}

function rowNode(row, i) {
  const attributes = {
    id: 'row-' + i, role: 'option', class: row.file ? 'row file' : 'row', 'aria-selected': i === state.at ? 'true' : 'false',
    'aria-posinset': i + 1, 'aria-setsize': state.rows.length, style: { top: i * rowHeight + 'px' },
    title: row.file ? row.file.path : row.test.full + '\n' + row.test.place,
    onclick: () => { choose(i); open(i); },
  };
  if (row.test && current.test === row.test || row.file && current.file === row.file) attributes.class += ' open';
  return el('div', attributes, row.file ? fileRow(row.file, row.shown) : testRow(row.test));
}

let drawn = { from: 0, to: 0 };

function draw(force) {
  const height = listBox.clientHeight || 600;
  const from = Math.max(0, Math.floor(listBox.scrollTop / rowHeight) - 8);
  const to = Math.min(state.rows.length, Math.ceil((listBox.scrollTop + height) / rowHeight) + 8);
  if (!state.rows.length || (!force && from === drawn.from && to === drawn.to)) return;
  drawn = { from, to };
  const nodes = [];
  for (let i = from; i < to; i++) nodes.push(rowNode(state.rows[i], i));
  rowsBox.replaceChildren(...nodes);
  if (state.at >= from && state.at < to) listBox.setAttribute('aria-activedescendant', 'row-' + state.at);
  else listBox.removeAttribute('aria-activedescendant');
}

function reveal(i) {
  const top = i * rowHeight, height = listBox.clientHeight;
  if (top < listBox.scrollTop) listBox.scrollTop = top;
  else if (top + rowHeight > listBox.scrollTop + height) listBox.scrollTop = top + rowHeight - height;
}

function choose(i) {
  if (!state.rows.length) return;
  state.at = Math.max(0, Math.min(state.rows.length - 1, i));
  reveal(state.at);
  draw(true);
}

function open(i) {
  const row = state.rows[i];
  if (row) location.hash = row.file ? '#/file/' + row.file.index : row.test.hash;
}

function indexOfRow(test) { return state.rows.findIndex(row => row.test === test); }

function refresh() {
  const kept = state.rows[state.at];
  const found = filtered();
  state.rows = found.rows;
  state.matched = found.matched;
  rowHeight = matchMedia('(max-width: 760px)').matches ? 44 : 34;
  listBox.style.setProperty('--row', rowHeight + 'px');
  rowsBox.style.height = state.rows.length * rowHeight + 'px';
  state.at = kept ? state.rows.findIndex(row => row.test === kept.test && row.file === kept.file) : -1;
  listBox.scrollTop = 0;
  draw(true);
  const all = tests.length, line = byId('count');
  line.textContent = '';
  line.append(found.matched === all ? count(all, 'test') : found.matched.toLocaleString('en') + ' of ' + count(all, 'test'),
    state.cause ? el('button', { type: 'button', class: 'cause-chip', title: 'Show all causes', onclick: () => { state.cause = null; refresh(); } },
      'one cause ', el('span', { 'aria-hidden': 'true' }, '×'), el('span', { class: 'hidden' }, 'remove')) : '');
  if (!state.rows.length) {
    rowsBox.replaceChildren(el('p', { class: 'none' }, tests.length ? 'No test fits this filter.' : run.nothing || 'No test ran.',
      tests.length ? el('button', { type: 'button', class: 'more', onclick: clearFilter }, 'Clear the filter') : null));
  }
}

function clearFilter() {
  state.words = byId('search').value = '';
  state.outcomes.clear();
  state.cause = null;
  chips();
  refresh();
}

function chips() {
  byId('chips').replaceChildren(...Object.keys(outcomes).map(name => el('button', {
    type: 'button', class: 'chip ' + name, 'aria-pressed': state.outcomes.has(name) ? 'true' : 'false',
    disabled: !counts[name], 'data-outcome': name, onclick: () => toggleOutcome(name),
  }, el('span', { 'aria-hidden': 'true' }, outcomes[name].sign + ' '), outcomes[name].label + ' ', el('b', {}, counts[name].toLocaleString('en')))));
}

function toggleOutcome(name) {
  if (!counts[name]) return;
  if (!state.outcomes.delete(name)) state.outcomes.add(name);
  chips();
  refresh();
}

function onlyOutcome(name) {
  state.outcomes = new Set([name]);
  state.cause = null;
  chips();
  refresh();
}

// The next failure in the list's order from a row on; wraps around.
function nextFailure(step) {
  const n = state.rows.length;
  for (let k = 1; k <= n; k++) {
    const i = ((state.at < 0 ? (step > 0 ? -1 : 0) : state.at) + step * k + n * 2) % n;
    const row = state.rows[i];
    if (row.test && row.test.outcome === 'failed') { choose(i); open(i); return; }
  }
}
