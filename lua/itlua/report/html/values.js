// Viewers of what went over the wire: requests and responses, statements and rows, commands and replies, events.

// JSON indented, with its numbers as they were written: a browser would round what is beyond 2^53.
function jsonNode(value) {
  return jsonText(typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(value, null, 0) || 'null');
}

function jsonText(text) {
  const node = el('pre', { class: 'json', tabindex: '0' });
  const put = (part, name) => node.append(name ? el('span', { class: name }, part) : part);
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) || [];
  let indent = 0;
  tokens.forEach((token, i) => {
    const next = tokens[i + 1], empty = (token === '{' && next === '}') || (token === '[' && next === ']');
    const line = () => put('\n' + '  '.repeat(indent));
    if (token === '{' || token === '[') {
      put(token);
      indent++;
      if (!empty) line();
    } else if (token === '}' || token === ']') {
      indent--;
      if (tokens[i - 1] !== '{' && tokens[i - 1] !== '[') line();
      put(token);
    } else if (token === ',') { put(','); line(); }
    else if (token === ':') put(': ');
    else if (token[0] === '"') put(token, next === ':' ? 'j-key' : 'j-string');
    else put(token, token === 'null' ? 'j-null' : 'j-number');
  });
  return node;
}

function isJson(text) {
  if (text.length > 200000 || !/^\s*[[{]/.test(text)) return false;
  try { JSON.parse(text); return true; } catch (_) { return false; }
}

function bodyNode(body) {
  if (body === undefined || body === null || body === '') return el('p', { class: 'dim' }, 'no body');
  if (typeof body === 'object') return jsonNode(body);
  const text = String(body);
  if (isJson(text)) return jsonText(text);
  return bounded(text, 60, part => el('pre', { class: 'text', tabindex: '0' }, part));
}

function headerPairs(headers) {
  if (!headers) return [];
  if (Array.isArray(headers)) {
    return headers.map(h => Array.isArray(h) ? h : typeof h === 'object' ? [h.name, h.value] : String(h).split(/:\s*(.*)/s));
  }
  return Object.keys(headers).flatMap(name => [].concat(headers[name]).map(value => [name, value]));
}

function headersNode(headers) {
  const pairs = headerPairs(headers);
  if (!pairs.length) return null;
  return el('table', { class: 'pairs' }, el('caption', { class: 'hidden' }, 'Headers'),
    el('tbody', {}, pairs.map(([name, value]) => el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, String(value))))));
}

const shellWord = word => /^[\w./:@%+=,-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'";

function curlOf(request) {
  const words = ['curl', '-i'];
  if (request.method && request.method !== 'GET') words.push('-X', request.method);
  words.push(shellWord(request.url || ''));
  for (const [name, value] of headerPairs(request.headers)) {
    if (!/^(content-length|host|connection)$/i.test(name)) words.push('-H', shellWord(name + ': ' + value));
  }
  if (request.body !== undefined && request.body !== '' && request.body !== null) {
    words.push('--data-raw', shellWord(typeof request.body === 'string' ? request.body : JSON.stringify(request.body)));
  }
  return words.join(' ');
}

function rowsNode(rows) {
  if (!Array.isArray(rows) || !rows.length) return bodyNode(rows);
  if (typeof rows[0] !== 'object' || rows[0] === null) return jsonNode(rows);
  const columns = Array.from(new Set(rows.flatMap(row => Object.keys(row))));
  const cell = value => value === null || value === undefined ? el('td', { class: 'j-null' }, 'NULL') :
    el('td', {}, typeof value === 'object' ? JSON.stringify(value) : String(value));
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Rows' }, el('table', { class: 'rows' },
    el('thead', {}, el('tr', {}, columns.map(name => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, rows.slice(0, 200).map(row => el('tr', {}, columns.map(name => cell(row[name])))))));
}

function block(title, tool, ...children) {
  return el('div', { class: 'wire' }, el('div', { class: 'wire-head' }, el('h3', {}, title), tool), children);
}

function exchange(data) {
  const { request, response } = data, parts = [];
  if (request) {
    parts.push(block('Request', copyButton(() => data.curl || curlOf(request), 'Copy as curl'),
      el('p', { class: 'line' }, el('b', {}, request.method || 'GET'), ' ', request.url), headersNode(request.headers),
      bodyNode(request.body)));
  }
  if (response) {
    const text = typeof response.body === 'string' ? response.body : JSON.stringify(response.body, null, 2);
    parts.push(block('Response', text ? copyButton(text, 'Copy body') : null,
      el('p', { class: 'line' }, el('b', { class: response.status >= 400 ? 'bad' : 'good' }, String(response.status || '')),
        ' ', response.reason || '', response.size ? el('span', { class: 'dim' }, ' · ' + count(response.size, 'byte')) : null), headersNode(response.headers), bodyNode(response.body)));
  }
  return el('div', { class: 'pair' }, parts);
}

const textNode = text => bounded(String(text), 60, part => el('pre', { class: 'text', tabindex: '0' }, part));
const words = command => Array.isArray(command) ? command.map(word => typeof word === 'object' ? JSON.stringify(word) : String(word)).join(' ') : String(command);
const replyNode = reply => typeof reply === 'string' ? bodyNode(reply) : jsonNode(reply === undefined ? null : reply);

function printedBlocks(data) {
  return [data.code !== undefined || data.signal ? block('Exit', null, el('p', { class: 'line' }, data.signal ? 'signal ' + data.signal : 'code ' + data.code)) : null,
    data.stdout ? block('Standard output', copyButton(String(data.stdout), 'Copy'), textNode(data.stdout)) : null,
    data.stderr ? block('Standard error', copyButton(String(data.stderr), 'Copy'), textNode(data.stderr)) : null];
}

function statementBlocks(data) {
  return [
    block('Statement', copyButton(String(data.statement), 'Copy'), textNode(data.statement)),
    data.parameters && Object.keys(data.parameters).length ? block('Parameters', null, bodyNode(data.parameters)) : null,
    data.value !== undefined ? block('Value', null, replyNode(data.value)) : null,
    data.rows !== undefined ? block(Array.isArray(data.rows) ? count(data.rows.length + (data.rows_left_out || 0), 'row') : 'Rows', null, rowsNode(data.rows),
      data.rows_left_out ? el('p', { class: 'dim' }, count(data.rows_left_out, 'more row') + ', left out') : null) : null,
  ];
}

function commandBlocks(data) {
  if (data.commands) {
    return data.commands.map((command, i) => block('Command ' + (i + 1), null, textNode(words(command)), replyNode((data.replies || [])[i])));
  }
  const printed = data.stdout !== undefined || data.stderr !== undefined || data.code !== undefined;
  return [data.command !== undefined ? block('Command', null, textNode(words(data.command))) : null,
    printed ? printedBlocks(data) : block('Reply', null, replyNode(data.reply))];
}

// What is known of a span, as a person wants to see it; what no viewer knows is shown as JSON.
function spanData(data) {
  if (data.request || data.response) return exchange(data);
  if (data.statement !== undefined) return el('div', { class: 'pair' }, statementBlocks(data));
  if (['command', 'commands', 'code', 'stdout', 'stderr'].some(key => data[key] !== undefined)) return el('div', { class: 'pair' }, commandBlocks(data));
  if (data.topic !== undefined || data.channel !== undefined) {
    const { value, headers, ...rest } = data;
    return el('div', { class: 'pair' }, block('Event', null, headersNode(rest), headersNode(headers)),
      block('Value', null, bodyNode(value)));
  }
  return jsonNode(data);
}
