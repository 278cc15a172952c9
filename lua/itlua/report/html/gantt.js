// Where the run's time went: a lane a worker (more where files overlap), a bar a file, its tests drawn inside; and the
// same as a table, which is also what a screen reader reads.

function lanes() {
  const workers = new Map();
  for (const file of files) {
    if (file.at < 0) continue;
    const lanesOf = workers.get(file.worker) || workers.set(file.worker, []).get(file.worker);
    let lane = lanesOf.find(list => list[list.length - 1].at + list[list.length - 1].ms <= file.at + 0.5);
    if (!lane) lanesOf.push(lane = []);
    lane.push(file);
  }
  return Array.from(workers.entries()).sort((a, b) => a[0] - b[0]);
}

function ganttBar(file, total) {
  const outcome = file.failed || file.crashed ? 'failed' : file.flaky ? 'flaky' : file.passed ? 'passed' : 'pending';
  const width = Math.max(0.25, file.ms / total * 100);
  const said = file.path + ': ' + duration(file.ms) + ', ' + count(file.tests.length, 'test') + (file.failed ? ', ' + file.failed + ' failed' : '');
  const bar = el('a', { class: 'gbar ' + outcome, href: '#/file/' + file.index, title: said, 'aria-label': said,
    style: { left: file.at / total * 100 + '%', width: Math.min(width, 100 - file.at / total * 100) + '%' } });
  // What took a visible part of a visible bar.
  if (width > 3) {
    const parts = file.tests.filter(test => test.at >= 0 && test.ms / file.ms > 0.01).slice(0, 120);
    if (parts.length) bar.classList.add('parts');
    for (const test of parts) {
      bar.append(el('i', { class: test.outcome, 'aria-hidden': 'true', style: {
        left: Math.max(0, (test.at - file.at) / file.ms * 100) + '%', width: Math.min(100, test.ms / file.ms * 100) + '%' } }));
    }
    if (width > 8) bar.append(el('span', { 'aria-hidden': 'true' }, file.path.replace(/.*\//, '')));
  }
  return bar;
}

function busyOf(lanesOf) {
  const marks = lanesOf.flat().map(file => [file.at, file.at + file.ms]).sort((a, b) => a[0] - b[0]);
  let busy = 0, end = -1;
  for (const [from, to] of marks) {
    busy += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return busy;
}

function workersView() {
  const found = lanes();
  const total = Math.max(1, run.seconds * 1000, ...files.map(file => file.at + file.ms));
  const facts = el('p', { class: 'facts' }, el('span', {}, count(found.length, 'worker')), el('span', {}, count(files.length, 'file')), el('span', {}, duration(total)));
  const chart = el('div', { class: 'gantt' }, el('div', { class: 'g-axis' }, axis(total)), found.map(([worker, lanesOf]) => el('div', { class: 'worker', role: 'group',
    'aria-label': 'Worker ' + worker },
    el('div', { class: 'g-name' }, el('b', {}, 'Worker ' + worker), el('span', { class: 'dim' }, Math.round(busyOf(lanesOf) / total * 100) + ' % busy')),
    el('div', { class: 'g-lanes' }, lanesOf.map(list => el('div', { class: 'lane' }, list.map(file => ganttBar(file, total))))))));
  const longest = files.slice().sort((a, b) => b.ms - a.ms);
  const table = el('table', { class: 'rows' }, el('thead', {}, el('tr', {}, ['file', 'worker', 'began', 'took', 'tests', 'failed'].map(name => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, longest.slice(0, 300).map(file => el('tr', {}, el('td', {}, el('a', { href: '#/file/' + file.index }, file.path || '(run)')),
      el('td', { class: 'n' }, String(file.worker)), el('td', { class: 'n' }, file.at >= 0 ? duration(file.at) : ''), el('td', { class: 'n' }, duration(file.ms)),
      el('td', { class: 'n' }, String(file.tests.length)), el('td', { class: 'n' + (file.failed ? ' bad' : '') }, file.failed ? String(file.failed) : '')))));
  return el('article', {}, el('header', { class: 'title' }, el('h1', {}, 'Where the time went'), facts),
    found.length ? el('p', { class: 'dim' }, 'A bar is a file. Where it is coloured a test ran; where it is grey the file was loaded, set up or waited for a service.') : null,
    found.length ? chart : el('p', { class: 'dim' }, 'No file ran.'), section('Files, the longest first', el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Files' }, table)));
}

function logsView() {
  const names = Object.keys(raw.logs), lines = serviceLines();
  const started = (run.services || '').split('\n').filter(Boolean);
  return el('article', {}, el('header', { class: 'title' }, el('h1', {}, 'Services and logs')),
    started.length ? section('Started for this run', el('ul', { class: 'plain' }, started.map(line => {
      const [, name, what] = /^(\S+)\s\s+(.*)$/.exec(line) || [null, line, ''];
      return el('li', {}, el('b', {}, name), ' ', what);
    }))) : null,
    Array.from(lines, ([name, list]) => section(name + ' while tests ran', el('ol', { class: 'log-lines', tabindex: '0' }, list.slice(0, 2000).map(line => el('li', {},
      el('span', { class: 'dim' }, duration(line.at)), el('span', {}, line.text), el('span', { class: 'of' }, el('a', { href: line.tests[0].hash, title: line.tests[0].full }, line.tests[0].own),
        line.tests.length > 1 ? el('span', { class: 'dim', title: line.tests.slice(1).map(test => test.full).join('\n') },
          ' and ' + count(line.tests.length - 1, 'other')) : null)))),
      list.length > 2000 ? el('p', { class: 'dim' }, 'and ' + count(list.length - 2000, 'more line')) : null)),
    names.map(name => section('Log of ' + name, bounded(raw.logs[name], 400, ansi))),
    !started.length && !names.length && !lines.size ? el('p', { class: 'dim' }, 'No service printed anything into this report.') : null);
}
