// What is shown, by the address; keys; light and dark.

const current = { view: '', test: null, file: null };
const mainBox = byId('main'), frame = byId('frame');
const narrow = matchMedia('(max-width: 760px)');

function showList() {
  if (narrow.matches) location.hash = '#/tests';
  else listBox.focus({ preventScroll: true });
}

function search(words) {
  byId('search').value = state.words = words;
  refresh();
  showList();
}

function route() {
  const hash = location.hash;
  const file = /^#\/file\/(\d+)$/.exec(hash);
  current.test = hash.startsWith('#/test/') ? testOfHash(hash) || null : null;
  current.file = file ? files[Number(file[1])] || null : null;
  const name = current.test ? 'test' : current.file ? 'file' : hash === '#/workers' ? 'workers' : hash === '#/logs' ? 'logs' : hash === '#/tests' ? 'tests' : 'overview';
  const view = current.test ? testView(current.test) : current.file ? fileView(current.file) : name === 'workers' ? workersView() : name === 'logs' ? logsView() : overview();
  if (hash.startsWith('#/test/') && !current.test) view.prepend(el('p', { class: 'note', role: 'alert' }, 'There is no test at ' + decodeURIComponent(hash.slice(7)) + ' in this run.'));
  mainBox.replaceChildren(view);
  mainBox.scrollTop = 0;
  scrollTo(0, 0);
  frame.dataset.view = name;
  document.title = (current.test ? current.test.own + ' · ' : '') + verdictText()[1] + ' · itlua';
  for (const link of document.querySelectorAll('.views a')) {
    if (link.dataset.view === name || link.dataset.view === 'tests' && (name === 'test' || name === 'file')) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const i = current.test ? indexOfRow(current.test) : current.file ? state.rows.findIndex(row => row.file === current.file) : -1;
  if (i >= 0) choose(i);
  else draw(true);
  if (current.view) mainBox.focus({ preventScroll: true });
  current.view = name;
}

// ---- light and dark

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function showTheme() { byId('theme').textContent = dark() ? '☀' : '☾'; }

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try { localStorage.setItem('itlua-theme', name); } catch (_) { /* a page from a file may have no storage */ }
  showTheme();
}

try {
  const kept = localStorage.getItem('itlua-theme');
  if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
} catch (_) { /* as above */ }

// ---- keys

const keys = {
  '/': () => { if (narrow.matches) location.hash = '#/tests'; byId('search').focus(); byId('search').select(); },
  j: () => choose(state.at + 1),
  k: () => choose(state.at < 0 ? 0 : state.at - 1),
  n: () => nextFailure(1),
  p: () => nextFailure(-1),
  t: () => setTheme(dark() ? 'light' : 'dark'),
  '?': () => byId('help').showModal(),
  c: () => { if (current.test) copy(againOf(current.test)); },
  1: () => toggleOutcome('failed'), 2: () => toggleOutcome('flaky'), 3: () => toggleOutcome('pending'), 4: () => toggleOutcome('passed'),
};

function page() { return Math.max(1, Math.floor(listBox.clientHeight / rowHeight) - 1); }

const listKeys = {
  ArrowDown: () => choose(state.at + 1), ArrowUp: () => choose(state.at < 0 ? 0 : state.at - 1), Home: () => choose(0),
  End: () => choose(state.rows.length - 1), PageDown: () => choose(state.at + page()), PageUp: () => choose(state.at - page()),
  ' ': () => open(state.at),
};

function escape() {
  if (state.words || state.outcomes.size || state.cause) clearFilter();
  else if (location.hash && location.hash !== '#/') location.hash = '#/';
  listBox.focus({ preventScroll: true });
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId('help').open) return;
  const target = event.target, typing = target.matches('input, textarea, select');
  if (event.key === 'Escape') { event.preventDefault(); escape(); return; }
  if (target.id === 'search' && (event.key === 'Enter' || event.key === 'ArrowDown')) {
    event.preventDefault();
    if (state.at < 0) choose(state.rows[0] && state.rows[0].file && state.rows.length > 1 ? 1 : 0);
    listBox.focus({ preventScroll: true });
    if (event.key === 'Enter') open(state.at);
    return;
  }
  if (typing) return;
  const handler = keys[event.key] || (target === listBox && listKeys[event.key]);
  if (handler) { event.preventDefault(); handler(); return; }
  // On a link or a button Enter is theirs.
  if (event.key === 'Enter' && state.at >= 0 && !target.closest('a, button, summary')) { event.preventDefault(); open(state.at); }
});

// ---- the beginning

byId('search').addEventListener('input', event => { state.words = event.target.value; refresh(); });
byId('order').addEventListener('change', event => { state.order = event.target.value; refresh(); });
listBox.addEventListener('scroll', () => draw(false), { passive: true });
byId('theme').addEventListener('click', keys.t);
byId('keys').addEventListener('click', keys['?']);
addEventListener('hashchange', route);
addEventListener('resize', () => { const at = state.at; refresh(); if (at >= 0) choose(at); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showTheme);

// Paper is light.
let screenTheme;
addEventListener('beforeprint', () => { screenTheme = document.documentElement.dataset.theme; document.documentElement.dataset.theme = 'light'; });
addEventListener('afterprint', () => {
  if (screenTheme) document.documentElement.dataset.theme = screenTheme;
  else delete document.documentElement.dataset.theme;
});

const [verdictKind, verdict] = verdictText();
byId('verdict').className = 'verdict ' + verdictKind;
byId('verdict').textContent = verdict;
showTheme();
chips();
refresh();
route();
document.documentElement.dataset.ready = String(Math.round(performance.now()));
