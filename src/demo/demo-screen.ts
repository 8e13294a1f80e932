import type { DemoService } from './mesh.js';
import { type Style, wrap } from './style.js';
import { type DemoEndpoints, type ThingToTry, thingsToTry, toCommand } from './things-to-try.js';

export interface ScreenFacts extends DemoEndpoints {
  readonly scopemesh: string;
  /** Opens the console, once. */
  readonly console: string;
  /** `embedded`, or the path of the binary. */
  readonly consulKind: string;
  readonly stateDirectory: string;
  readonly isStateKept: boolean;
  readonly logFile: string;
  readonly services: readonly DemoService[];
  /** Notes for the person, for example about ports in use. */
  readonly notes: readonly string[];
  /** How many pairs of services have an intention that allows something. */
  readonly open: number;
}

const INDENT = '  ';

/**
 * The first screen of the demo: what runs, the ports of the services, what to try. Only a long path makes a line wider
 * than the terminal.
 */
export function toScreen(facts: ScreenFacts, style: Style): string {
  const { colors } = style;
  const width = style.columns() - 1;
  const lines: string[] = [];
  const paragraph = (text: string, paint = (line: string) => line) => {
    for (const line of wrap(text.split(' '), width - INDENT.length)) lines.push(INDENT + paint(line));
  };
  const running: readonly (readonly [string, string, string])[] = [
    ['scopemesh', facts.scopemesh, 'in mode enforce'],
    ['console', facts.console, ''],
    ['Consul', facts.consul.address, facts.consulKind],
    ['provider', facts.idp.address, 'embedded'],
    ['state', facts.stateDirectory, facts.isStateKept ? '' : 'removed at the end'],
    ['log', facts.logFile, ''],
  ];
  const title = `${colors.bold('scopemesh demo')}  ${colors.dim('a shop of ten services; press ctrl-c to end it')}`;
  lines.push('', title, '');
  const placeCells = Math.max(...running.map(([, place, note]) => (note === '' ? 0 : place.length)));
  for (const [name, place, note] of running) {
    const noted = note === '' ? place : `${place.padEnd(placeCells + INDENT.length)}${colors.dim(note)}`;
    lines.push(`${INDENT}${name.padEnd(11)}${noted}`);
  }
  for (const note of facts.notes) paragraph(note, colors.yellow);
  lines.push('');
  paragraph(
    'The scopes of its OAuth client decide what a service may call. Each calling service has a port:',
  );
  const ports = Object.entries(facts.callers).map(([name, address]) => {
    const note = facts.services.find((demoService) => demoService.name === name)?.note;
    return `${new URL(address).port} ${name}${note === undefined ? '' : ` (${note})`}`;
  });
  for (const line of pack(ports, width - 2 * INDENT.length)) lines.push(INDENT + INDENT + line);
  const example = facts.callers.web ?? '';
  paragraph(`${example}/orders/v1/orders means: web calls orders, /v1/orders`);
  lines.push('', colors.bold('Try in another terminal'), '');
  const things = thingsToTry(facts).map((thing, at) => ({ ...thing, number: `${at + 1}`.padStart(2) }));
  const whatCells = Math.max(...things.map(({ what }) => what.length));
  const commandCells = Math.max(...things.map((thing) => toCommand(thing).length));
  const isWide = 3 * INDENT.length + whatCells + INDENT.length + commandCells <= width;
  const margin = ' '.repeat(5);
  for (const thing of things) {
    const number = `${INDENT}${colors.dim(thing.number)} `;
    if (isWide) {
      lines.push(`${number}${thing.what.padEnd(whatCells)}${INDENT}${toCommand(thing)}`);
      continue;
    }
    lines.push(`${number}${thing.what}`);
    lines.push(...breakCommand(thing, width - margin.length).map((line) => margin + line));
  }
  const open = `${facts.open} intentions exist already`;
  lines.push('', `${colors.bold('Decisions')} ${colors.dim(`as scopemesh makes them; ${open}`)}`, '');
  return `${lines.join('\n')}\n`;
}

/** A `\` at the end of a line continues the command in the shell. */
function breakCommand(thing: ThingToTry, width: number): readonly string[] {
  const lines = wrap(thing.words, width - 2, INDENT);
  return lines.map((line, at) => (at < lines.length - 1 ? `${line} \\` : line));
}

/** As many cells per line as fit, each as wide as the widest. */
function pack(cells: readonly string[], width: number): readonly string[] {
  const cell = Math.max(...cells.map(({ length }) => length)) + 2;
  const perLine = Math.max(1, Math.floor((width + 2) / cell));
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += perLine)
    lines.push(
      cells
        .slice(at, at + perLine)
        .map((text) => text.padEnd(cell))
        .join('')
        .trimEnd(),
    );
  return lines;
}
