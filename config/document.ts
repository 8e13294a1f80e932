// biome-ignore-all lint/suspicious/noTemplateCurlyInString: messages show how references are written
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import type { ConfigPath, ConfigProblem } from './config-error.js';

/** Counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A parsed file: plain values and their positions. */
interface SourceDocument {
  readonly value: unknown;
  readonly faults: readonly ConfigProblem[];
  /** The position of the key or value at `path`, or of the nearest enclosing value if it is missing. */
  locate(path: ConfigPath, at: 'key' | 'value'): Place;
}

const MAX_ALIASES = 100;
const MAX_NODES = 50_000;
const MAX_DEPTH = 32;
const ALIAS_FAULT: [message: string, remedy: string] = [
  'this is parsed as a YAML alias or anchor',
  'put text that begins with * or & in quotes',
];

const REFERENCE_FAULT: [message: string, remedy: string] = [
  'this ${…} is not within quotes',
  'quote ${…} within [ ] or { }, as in { token: "${NAME}" }, and look for a missing quote before it',
];

/** Parses one YAML 1.2 (or JSON) document. Never throws: `faults` has the faults. */
export function readDocument(text: string): SourceDocument {
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  try {
    // uniqueKeys is quadratic; the walk below finds duplicates faster and with their position.
    const [document, second] = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      version: '1.2',
      schema: 'core',
      logLevel: 'silent',
    });
    if (document === undefined || document.contents === null)
      return broken(place(0), 'the file is empty', 'start from config/minimal.yaml');
    // What follows a fault is parsed wrongly, so the first one alone says something.
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault !== undefined) {
      const at = fault.pos[0];
      const isReference = [at - 1, at].some((start) => text.startsWith('${', start));
      return broken(place(at), ...(isReference ? REFERENCE_FAULT : syntaxFault(fault.code, fault.message)));
    }
    if (second !== undefined)
      return broken(
        place(second.range[0]),
        'a second document begins here',
        'keep one document in the file and remove the line "---"',
      );
    return new Walk(document, place).read();
  } catch {
    // The parser recurses: a file with only brackets exhausts the stack.
    return broken(place(0), 'the file cannot be parsed', 'check its nesting');
  }
}

function broken(at: Place, message: string, remedy: string): SourceDocument {
  return { value: undefined, faults: [{ path: [], ...at, message, remedy }], locate: () => at };
}

class Walk {
  readonly #document: Document.Parsed;
  readonly #place: (offset: number) => Place;
  readonly #faults: ConfigProblem[] = [];
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document.Parsed, place: (offset: number) => Place) {
    this.#document = document;
    this.#place = place;
  }

  read(): SourceDocument {
    const value = this.#plain(this.#document.contents, [], this.#at(this.#document.contents));
    return { value, faults: this.#faults, locate: (path, at) => this.#locate(path, at) };
  }

  #plain(node: unknown, path: ConfigPath, at: Place): unknown {
    if (path.length > MAX_DEPTH)
      return this.#fault(path, at, `is nested more than ${MAX_DEPTH} deep`, 'flatten it');
    if (++this.#nodes > MAX_NODES) {
      if (this.#nodes === MAX_NODES + 1)
        this.#fault(
          [],
          at,
          `the file holds more than ${MAX_NODES} values with its aliases expanded`,
          'shorten it',
        );
      return undefined;
    }
    if (isAlias(node)) {
      if (++this.#aliases > MAX_ALIASES) {
        if (this.#aliases === MAX_ALIASES + 1)
          this.#fault(
            [],
            this.#at(node),
            `the file uses more than ${MAX_ALIASES} aliases`,
            'write the values out',
          );
        return undefined;
      }
      const target = node.resolve(this.#document);
      if (target === undefined) return this.#fault(path, this.#at(node), ...ALIAS_FAULT);
      return this.#plain(target, path, this.#at(node));
    }
    if (isSeq(node))
      return node.items.map((item, index) => this.#plain(item, [...path, index], this.#at(item, at)));
    if (!isMap(node)) return isScalar(node) ? node.value : null;
    const firstAt = new Map<string, Place>();
    const entries: [string, unknown][] = [];
    for (const { key, value } of node.items) {
      const keyAt = this.#at(key, at);
      const name = isScalar(key) ? key.value : undefined;
      if (typeof name !== 'string') {
        this.#fault(path, keyAt, 'a key must be text', 'put it in quotes');
        continue;
      }
      const inner = [...path, name];
      const first = firstAt.get(name);
      if (first !== undefined) {
        this.#fault(inner, keyAt, `the key is already set on line ${first.line}`, 'keep one of the two');
      } else if (name === '__proto__') {
        this.#fault(inner, keyAt, 'unknown key', 'remove it');
      } else {
        firstAt.set(name, keyAt);
        entries.push([name, this.#plain(value, inner, this.#at(value, keyAt))]);
      }
    }
    return Object.fromEntries(entries);
  }

  #locate(path: ConfigPath, at: 'key' | 'value'): Place {
    let node: unknown = this.#document.contents;
    let place = this.#at(node);
    for (const [index, part] of path.entries()) {
      // A fault in a repeated part is reported at the alias.
      if (isAlias(node)) return this.#at(node);
      const pair = isMap(node)
        ? node.items.find(({ key }) => isScalar(key) && key.value === part)
        : undefined;
      const next = isSeq(node) && typeof part === 'number' ? node.items[part] : pair?.value;
      if (next === undefined && pair === undefined) return place;
      const keyPlace = this.#at(pair?.key, place);
      const isKey = at === 'key' || index < path.length - 1 || (isMap(next) && next.flow !== true);
      node = next;
      place = pair !== undefined && isKey ? keyPlace : this.#at(next, keyPlace);
    }
    return place;
  }

  #at(node: unknown, otherwise: Place = { line: 1, column: 1 }): Place {
    const range = isNode(node) ? node.range : undefined;
    return range ? this.#place(range[0]) : otherwise;
  }

  #fault(path: ConfigPath, at: Place, message: string, remedy: string): undefined {
    this.#faults.push({ path, ...at, message, remedy });
    return undefined;
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

/** Messages that do not quote the file as the parser's messages do, because the text may be a secret. */
function syntaxFault(code: string, message: string): [message: string, remedy: string] {
  switch (code) {
    case 'BAD_ALIAS':
    case 'ALIAS_PROPS':
      return ALIAS_FAULT;
    case 'BAD_SCALAR_START':
      return ['plain text cannot begin with this character', 'put the text in quotes'];
    case 'BAD_DQ_ESCAPE':
      return ['unknown escape in double quotes', 'write \\\\ for a backslash or use single quotes'];
    case 'TAG_RESOLVE_FAILED':
    case 'BAD_COLLECTION_TYPE':
      return ['YAML tags are not used here', 'put text that begins with ! in quotes'];
    case 'TAB_AS_INDENT':
      return ['a tab is used as indentation', 'indent with spaces'];
    case 'UNEXPECTED_TOKEN':
    case 'BAD_PROP_ORDER':
    case 'IMPOSSIBLE':
      return ['unexpected text', 'check brackets and indentation; put text with { } [ ] , # or : in quotes'];
    case 'MISSING_CHAR':
      return [plain(message), 'check brackets, quotes and indentation'];
    case 'BAD_DIRECTIVE':
      return ['YAML directives are not used here', 'remove the line that begins with %'];
    case 'RESOURCE_EXHAUSTION':
      return ['the file is nested too deeply', 'flatten it'];
    default:
      return [plain(message), 'check the indentation and quotes around it'];
  }
}

function plain(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
