// The timeline of one test across everything it spoke to: what, to whom, what came of it, and when, as bars on one axis.

const protocols = [
  ['http', /^(http|server|graphql|sse)/], ['sql', /^(sql|pg|migrat|fixture)/], ['redis', /^redis/], ['kafka', /^(kafka|capture|events?$|publish)/],
  ['container', /^(container|docker|image|services?)/], ['wait', /^(task|sleep|wait|eventually|expect|core)/], ['process', /^(process|app|exec)/],
];

function protocolOf(what, log) {
  if (log) return 'log';
  const found = protocols.find(([, pattern]) => pattern.test(what.toLowerCase()));
  return found ? found[0] : 'other';
}

const troubled = /timeout|error|refused|fail|cancel|reset|denied|violat|still (waiting|running)|→ ?[45]\d\d|^[45]\d\d\b/i;

// Where a time stands on the axis, in percent. Stretched, what took milliseconds before a wait of seconds can be told apart.
let stretched = false;
function position(at, total) {
  const part = Math.max(0, Math.min(1, at / total));
  return 100 * (stretched ? Math.cbrt(part) : part);
}

// Round steps for an axis of about so many marks.
function ticks(total, about) {
  const rough = total / about, power = Math.pow(10, Math.floor(Math.log10(rough || 1)));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) || power;
  const marks = [];
  for (let at = 0; at <= total * 1.0001; at += step) marks.push(at);
  return marks;
}

function axis(total, short) {
  const marks = stretched && short ? [0, total / 50, total / 5, total].filter(at => at === 0 || at > 0.05) : ticks(total, short ? 3 : 5), n = marks.length;
  // The last one stands left of its mark, where on a short axis the one before it is.
  if (short && n > 2 && marks[n - 1] / total > 0.93 && (marks[n - 1] - marks[n - 2]) / total < 0.25) marks.splice(n - 2, 1);
  return el('div', { class: 'axis', 'aria-hidden': 'true' }, marks.map(at => el('span', { class: at / total > 0.93 ? 'last' : '', style: { left: (short ? position(at, total) : at / total * 100) + '%' } }, duration(at))));
}

function legend(used) {
  return el('p', { class: 'legend', 'aria-hidden': 'true' }, used.map(name => el('span', {}, el('i', { class: 'p-' + name }), name)));
}

let rows = 0;

function spanRow(span) {
  const protocol = protocolOf(span.what, span.log), bad = troubled.test(span.outcome);
  const id = 'span-' + rows++;
  const facts = [
    el('span', { class: 'what p-' + protocol }, span.what.replace(/\..*/, '')),
    el('span', { class: 'said' }, el('span', { class: 'target' }, span.detail), span.outcome ? el('span', { class: 'outcome' }, el('span', { class: 'dim' }, ' → '),
      el('span', { class: bad ? 'bad' : 'came' }, span.outcome)) : null),
    el('span', { class: 'ms began' }, el('span', { class: 'hidden' }, 'at '), duration(span.at)),
    el('span', { class: 'track', 'aria-hidden': 'true' }, el('i', { class: 'bar p-' + protocol + (bad ? ' bad' : '') })),
    el('span', { class: 'ms' }, span.log ? '' : [el('span', { class: 'hidden' }, 'took '), duration(span.ms)]),
  ];
  if (!span.data) return el('li', {}, el('div', { class: span.log ? 'span log' : 'span' }, facts));
  const body = el('div', { class: 'span-data', id, hidden: true });
  const button = el('button', {
    type: 'button', class: 'span opens', 'aria-expanded': 'false', 'aria-controls': id,
    onclick: () => {
      const shown = body.hidden;
      if (shown && !body.firstChild) body.append(spanData(span.data));
      body.hidden = !shown;
      button.setAttribute('aria-expanded', String(shown));
    },
  }, facts);
  return el('li', {}, button, body);
}

function waterfall(spans) {
  if (!spans.length) return null;
  const total = Math.max(0.1, ...spans.map(span => span.at + span.ms));
  const used = Array.from(new Set(spans.map(span => protocolOf(span.what, span.log))));
  const list = el('ol', { class: 'waterfall' }, spans.map(span => spanRow(span)));
  const bars = list.querySelectorAll('.bar'), axisBox = el('div', { class: 'wf-axis' });
  const place = () => {
    spans.forEach((span, i) => {
      const left = Math.min(99.6, position(span.at, total));
      bars[i].style.left = left + '%';
      bars[i].style.width = Math.max(0.4, Math.min(100 - left, position(span.at + span.ms, total) - left)) + '%';
    });
    axisBox.replaceChildren(axis(total, true));
  };
  place();
  const all = el('button', {
    type: 'button', class: 'copy', onclick: () => {
      const closed = list.querySelectorAll('.opens[aria-expanded=false]');
      (closed.length ? closed : list.querySelectorAll('.opens')).forEach(button => button.click());
    },
  }, 'Open or close all');
  const stretch = el('button', {
    type: 'button', class: 'copy', 'aria-pressed': String(stretched), title: 'What took milliseconds beside what took seconds',
    onclick: () => { stretched = !stretched; stretch.setAttribute('aria-pressed', String(stretched)); place(); },
  }, 'Stretch short ones');
  const uneven = spans.some(span => span.ms > total / 2) && spans.some(span => span.ms < total / 50);
  return section('Timeline', el('div', { class: 'wf-head' }, legend(used), el('div', { class: 'wf-tools' }, uneven ? stretch : null,
    spans.some(span => span.data) ? all : null)), axisBox, list);
}
