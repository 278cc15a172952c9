// Elements, words for numbers, the clipboard. Everything that comes from the data goes through text nodes, never as HTML.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes || {}) {
    const value = attributes[name];
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'class') node.className = value;
    else if (name === 'style') for (const key in value) node.style.setProperty(key, value[key]);
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(3)) {
    if (child !== undefined && child !== null && child !== false && child !== '') node.append(child);
  }
  return node;
}

const byId = id => document.getElementById(id);

function duration(ms) {
  if (ms < 0.05) return '0 ms';
  if (ms < 0.95) return ms.toFixed(1) + ' ms';
  if (ms < 1000) return Math.round(ms) + ' ms';
  if (ms < 10000) return (ms / 1000).toFixed(2) + ' s';
  if (ms < 120000) return (ms / 1000).toFixed(1) + ' s';
  return Math.floor(ms / 60000) + ' min ' + Math.round(ms % 60000 / 1000) + ' s';
}

function count(n, one, many) {
  return n.toLocaleString('en') + ' ' + (n === 1 ? one : many || one + 's');
}

function when(seconds) {
  const date = new Date(seconds * 1000);
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

function say(text) {
  byId('said').textContent = '';
  setTimeout(() => { byId('said').textContent = text; }, 20);
}

async function copy(text, button) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch (_) {
    // A page from a file may not be allowed to: the old way.
    const area = el('textarea', { class: 'hidden', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
  }
  say(done ? 'Copied' : 'Could not be copied');
  if (button) {
    const before = button.textContent;
    button.textContent = done ? 'Copied' : 'Not copied';
    setTimeout(() => { button.textContent = before; }, 1200);
  }
}

function copyButton(text, label) {
  return el('button', {
    type: 'button', class: 'copy', title: label,
    onclick: event => copy(typeof text === 'function' ? text() : text, event.currentTarget),
  }, label);
}

function sign(outcome, word) {
  const known = outcomes[outcome];
  return el('span', { class: 'sign ' + outcome }, el('span', { 'aria-hidden': 'true' }, known.sign),
    word ? ' ' + (word === true ? known.word : word) : el('span', { class: 'hidden' }, known.word));
}

function section(title, ...children) {
  const id = 'h-' + title.toLowerCase().replace(/\W+/g, '-');
  return el('section', { class: 'part', 'aria-labelledby': id }, el('h2', { id }, title), children);
}

// What a program printed, with its colours (SGR) as classes; other escapes are visible already.
function ansi(text) {
  const node = el('pre', { class: 'printed', tabindex: '0' });
  let classes = '';
  for (const part of text.split(/(\x1b\[[\d;]*m)/)) {
    const codes = /^\x1b\[([\d;]*)m$/.exec(part);
    if (!codes) {
      if (part) node.append(classes ? el('span', { class: classes }, part) : part);
      continue;
    }
    for (const code of (codes[1] || '0').split(';').map(Number)) {
      if (code === 0) classes = '';
      else if (code === 1) classes += ' a1';
      else if (code === 39) classes = classes.replace(/ a[39]\d/g, '');
      else if (code >= 30 && code <= 37) classes = classes.replace(/ a[39]\d/g, '') + ' a3' + code % 10;
      else if (code >= 90 && code <= 97) classes = classes.replace(/ a[39]\d/g, '') + ' a3' + code % 10;
    }
  }
  return node;
}

// Long texts first show what fits a screen.
function bounded(text, limit, show) {
  const lines = text.split('\n');
  if (lines.length <= limit) return show(text);
  const box = el('div', {}, show(lines.slice(0, limit).join('\n')));
  box.append(el('button', {
    type: 'button', class: 'more', onclick: () => box.replaceChildren(show(text)),
  }, 'Show ' + count(lines.length - limit, 'more line')));
  return box;
}
