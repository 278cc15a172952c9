// The run's data, read from the page once: tests, files, what each is called and how it ended.
// The reporter (html.lua) writes columns; here they become objects where that is cheap, and lazily where it is not.

const raw = JSON.parse(document.getElementById('data').textContent);
const run = raw.run;

const outcomes = {
  failed: { label: 'Failed', sign: '✗', word: 'failed' },
  flaky: { label: 'Flaky', sign: '⚑', word: 'flaky' },
  pending: { label: 'Pending', sign: '◌', word: 'pending' },
  passed: { label: 'Passed', sign: '✓', word: 'passed' },
};
const outcomeOf = { f: 'failed', e: 'failed', o: 'failed', k: 'flaky', p: 'pending', s: 'passed' };

const files = raw.files.map((file, index) => Object.assign(file, { index, tests: [], failed: 0, flaky: 0, pending: 0, passed: 0 }));

function Test(index) {
  this.index = index;
  this.file = files[raw.file[index]];
  this.own = raw.name[index];
  this.path = raw.paths[raw.path[index]];
  this.line = raw.line[index];
  this.ms = raw.ms[index];
  this.at = raw.at[index];
  this.letter = raw.status[index];
  this.outcome = outcomeOf[this.letter];
}
Test.prototype = {
  get full() { return this.path.length ? this.path.join(' ') + ' ' + this.own : this.own; },
  get place() { return (raw.places[this.index] || this.file.path) + (this.line ? ':' + this.line : ''); },
  get detail() { return raw.details[this.index] || {}; },
  get tags() { return this.full.match(/#[\w-]+/g) || []; },
  // What the filter looks in.
  get haystack() {
    if (this._haystack === undefined) {
      const said = this.outcome === 'failed' ? (this.detail.p || []).map(p => p.m + ' ' + (p.c || '')).join(' ') : '';
      this._haystack = (this.place + ' ' + this.full + ' ' + said).toLowerCase();
    }
    return this._haystack;
  },
  // Stable between runs, so that a link to a test can be sent to others.
  get hash() {
    return '#/test/' + encodeURIComponent(this.place) + (this.twin ? '~' + this.twin : '');
  },
};

const tests = [];
const counts = { failed: 0, flaky: 0, pending: 0, passed: 0 };
const places = new Map();
for (let i = 0; i < raw.status.length; i++) {
  const test = new Test(i);
  tests.push(test);
  test.file.tests.push(test);
  test.file[test.outcome]++;
  counts[test.outcome]++;
  const twins = (places.get(test.place) || 0) + 1;
  if (twins > 1) test.twin = twins;
  places.set(test.place, twins);
}
const outside = tests.filter(test => test.letter === 'o').length;
const timed = tests.length - outside;

// A hash is "#/test/FILE:LINE" or "#/test/FILE:LINE~2"; old links to a line that moved find nothing.
function testOfHash(hash) {
  return tests.find(test => test.hash === hash);
}

// Spans of a timeline with their strings.
function timelineOf(detail) {
  return (detail.tl || []).map(span => ({
    at: span[0], ms: span[1], what: raw.strings[span[2]], detail: raw.strings[span[3]], outcome: raw.strings[span[4]],
    data: typeof span[5] === 'object' ? span[5] : undefined, log: span[5] === 1,
  }));
}

function shared(lines) {
  const kept = [], latest = new Map();
  for (const line of lines) {
    const same = (latest.get(line.text) || []).find(one => line.at - one.at < 250 && !one.tests.includes(line.test));
    if (same) {
      same.tests.push(line.test);
      continue;
    }
    const one = { at: line.at, text: line.text, tests: [line.test] };
    kept.push(one);
    latest.set(line.text, (latest.get(line.text) || []).slice(-3).concat(one));
  }
  return kept;
}

// What services printed while tests ran: by service, in the order of time. A line that came while several ran is theirs.
function serviceLines() {
  const found = new Map();
  for (const test of tests) {
    if (!raw.details[test.index]) continue;
    for (const span of timelineOf(test.detail)) {
      if (!span.log) continue;
      if (!found.has(span.what)) found.set(span.what, []);
      found.get(span.what).push({ at: Math.max(0, test.at) + span.at, text: span.detail, test });
    }
  }
  for (const [name, lines] of found) found.set(name, shared(lines.sort((a, b) => a.at - b.at)));
  return found;
}

// ---- what failures have in common

function causeKey(test) {
  const problems = test.detail.p;
  if (!problems || !problems.length) return null;
  const first = problems[0];
  if (first.ck) return first.ck;
  const line = (first.m || '').split('\n', 1)[0];
  if (first.k === 'error') return first.e + '|' + line.replace(/0x[0-9a-f]+/g, '0x').replace(/\d+/g, '#');
  // "Expected objects to be the same." says nothing yet of what failed: what differs does.
  return first.k + '|' + (/^Expected (object|value|string|number|table)/.test(line) ? first.m : line) + '|' + (first.f || '');
}

let groups;
function causes() {
  if (groups) return groups;
  const found = new Map();
  for (const test of tests) {
    if (test.outcome !== 'failed') continue;
    const key = causeKey(test) || 'unknown';
    let group = found.get(key);
    if (!group) {
      const problem = (test.detail.p || [])[0] || { m: 'no details' };
      group = { key, tests: [], files: new Set(), problem };
      found.set(key, group);
    }
    group.tests.push(test);
    group.files.add(test.file);
  }
  groups = Array.from(found.values()).sort((a, b) => b.tests.length - a.tests.length);
  return groups;
}
