// Records docs/demo.svg: runs the demo in a real terminal (tmux), does what its lines 3, 4, 6 and 7 say, and draws
// what the terminal then shows. `npm run build && node docs/record-demo.mjs`; needs tmux and curl.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const COLUMNS = 100;
const ROWS = 60;
const CELL = { width: 8.4, height: 18 };
const MARGIN = 16;
const PALETTE = {
  text: '#d8dee9',
  back: '#1f2430',
  31: '#e06c75',
  32: '#98c379',
  33: '#e5c07b',
  36: '#56b6c2',
};

// tmux says what changes from one cell to the next, over the ends of lines as well.
let state = { bold: false, dim: false, colour: undefined };

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sockets = mkdtempSync(join(tmpdir(), 'record-'));
const tmux = (...args) =>
  execFileSync('tmux', ['-S', join(sockets, 'tmux'), '-f', '/dev/null', ...args], { encoding: 'utf8' });
const screen = (...args) => tmux('capture-pane', '-p', '-t', 'demo', ...args);

const until = async (what, isSo) => {
  for (let tries = 0; tries < 100; tries++) {
    if (isSo(screen())) return;
    await sleep(100);
  }
  throw new Error(`the demo never showed ${what}:\n${screen()}`);
};

const commandOf = (number) => {
  const block = screen().split(new RegExp(`^ +${number} `, 'm'))[1] ?? '';
  const [, ...lines] = block.split('\n');
  const end = lines.findIndex((line) => !line.endsWith('\\'));
  return lines.slice(0, end + 1).join('\n');
};

try {
  const command = `cd '${root}' && LANG=C.UTF-8 node dist/workers/main.js demo --embedded`;
  tmux('new-session', '-d', '-s', 'demo', '-x', String(COLUMNS), '-y', String(ROWS), command);
  await until('that it runs', (text) => text.includes('ProtectedDestination'));
  for (const [number, shown] of [
    [3, 'ScopeGranted'],
    [4, 'ScopeRevoked'],
    [6, /payments +ClientDisabled/],
    [7, /✓ web → orders +DriftCorrected/],
  ]) {
    execFileSync('sh', ['-c', commandOf(number)], { stdio: ['ignore', 'ignore', 'ignore'] });
    await until(String(shown), (text) => text.match(shown) !== null);
  }
  await sleep(300); // for the last line of a burst
  const lines = screen('-e').trimEnd().split('\n');
  writeFileSync(join(root, 'docs/demo.svg'), toSvg(lines));
  tmux('send-keys', '-t', 'demo', 'C-c');
  await sleep(500);
} finally {
  try {
    execFileSync('tmux', ['-S', join(sockets, 'tmux'), 'kill-server'], { stdio: 'ignore' });
  } catch {
    // It went with its last session.
  }
  rmSync(sockets, { recursive: true, force: true });
}

function toSvg(lines) {
  const width = Math.ceil(COLUMNS * CELL.width + 2 * MARGIN);
  const height = lines.length * CELL.height + 2 * MARGIN;
  const texts = lines.flatMap((line, row) =>
    toRuns(line).map(({ column, text, style }) => {
      const x = (MARGIN + column * CELL.width).toFixed(1);
      const y = MARGIN + (row + 0.75) * CELL.height;
      return `<text x="${x}" y="${y}"${style === '' ? '' : ` style="${style}"`}>${escapeXml(text)}</text>`;
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="scopemesh demo in a terminal">
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${PALETTE.text};white-space:pre}</style>
<rect width="100%" height="100%" rx="8" fill="${PALETTE.back}"/>
${texts.join('\n')}
</svg>
`;
}

// A run is a stretch of a line between two changes of colour; each is put at its own column, whatever the font.
function toRuns(line) {
  const runs = [];
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
  for (const part of line.split(/(\u001b\[[\d;]*m)/)) {
    const codes = part.startsWith('\u001b[') ? part.slice(2, -1).split(';').map(Number) : undefined;
    for (const code of codes ?? []) {
      if (code === 0) state = { bold: false, dim: false, colour: undefined };
      else if (code === 1) state = { ...state, bold: true };
      else if (code === 2) state = { ...state, dim: true };
      else if (code === 22) state = { ...state, bold: false, dim: false };
      else if (code === 39) state = { ...state, colour: undefined };
      else if (PALETTE[code] !== undefined) state = { ...state, colour: PALETTE[code] };
    }
    if (codes !== undefined) continue;
    for (const found of part.matchAll(/\S+(?: \S+)*/g)) {
      const style = [
        state.bold ? 'font-weight:bold' : '',
        state.dim ? 'opacity:0.6' : '',
        state.colour === undefined ? '' : `fill:${state.colour}`,
      ].filter((each) => each !== '');
      runs.push({ column: column + found.index, text: found[0], style: style.join(';') });
    }
    column += part.length;
  }
  return runs;
}

function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
