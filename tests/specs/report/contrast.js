// The visible texts of a page whose contrast with what is behind them is below 4.5 (WCAG AA), a line each.
(() => {
  const parse = colour => {
    const m = /rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)/.exec(colour);
    return m ? [Number(m[1]), Number(m[2]), Number(m[3]), m[4] === undefined ? 1 : Number(m[4])] : [0, 0, 0, 0];
  };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const luminance = c => {
    const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = node => {
    const layers = [];
    for (let n = node; n; n = n.parentElement) layers.push(parse(getComputedStyle(n).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const bad = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    // Labels on bars have a shadow of their own; what is switched off need not be read.
    if (!walker.currentNode.data.trim() || node.closest('script, style, .hidden, .gbar, :disabled, .off') || !node.getClientRects().length) continue;
    const below = ground(node), text = over(parse(getComputedStyle(node).color), below);
    const [light, dark] = [luminance(text), luminance(below)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) bad.add(contrast.toFixed(2) + ' ' + node.className + ': ' + walker.currentNode.data.trim().slice(0, 40));
  }
  return Array.from(bad).join('\n');
})()
