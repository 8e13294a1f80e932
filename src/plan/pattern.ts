/** A name of a service that scopemesh may open: what `{name}` captures, and nothing else. */
const PLAIN_SERVICE = /^[a-z0-9][a-z0-9-]{0,127}$/;

export function isPlainServiceName(text: string): boolean {
  return PLAIN_SERVICE.test(text);
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly name: string };

/** A compiled pattern: literal text, `*` for anything (also nothing), `{name}` for a service-like name. */
export interface Pattern {
  readonly text: string;
  /** The captures of a match, or undefined. Case-sensitive, the whole text must match. */
  match(text: string): Readonly<Record<string, string>> | undefined;
}

const CAPTURE = '([a-z0-9][a-z0-9-]*)';

/** Compiles a pattern; everything that is not `*` or `{name}` is literal. A name used twice must match equally. */
export function compilePattern(text: string): Pattern {
  const names: string[] = [];
  let source = '^';
  for (const part of parse(text)) {
    switch (part.kind) {
      case 'text':
        source += escapeRegExp(part.text);
        break;
      case 'any':
        source += '[^]*';
        break;
      case 'name':
        source += names.includes(part.name) ? `\\${names.indexOf(part.name) + 1}` : CAPTURE;
        if (!names.includes(part.name)) names.push(part.name);
        break;
    }
  }
  const expression = new RegExp(`${source}$`);
  return {
    text,
    match(candidate) {
      const found = expression.exec(candidate);
      if (found === null) return undefined;
      return Object.fromEntries(names.map((name, index) => [name, found[index + 1] ?? '']));
    },
  };
}

/** Puts captures into a right-hand side; undefined if it names one that was not captured. */
export function substitute(text: string, captures: Readonly<Record<string, string>>): string | undefined {
  let result = '';
  for (const part of parse(text)) {
    if (part.kind === 'text') result += part.text;
    else if (part.kind === 'any') result += '*';
    else {
      const value = Object.hasOwn(captures, part.name) ? captures[part.name] : undefined;
      if (value === undefined) return undefined;
      result += value;
    }
  }
  return result;
}

/** The names that a pattern captures or a right-hand side uses. */
export function captureNames(text: string): readonly string[] {
  return parse(text).flatMap((part) => (part.kind === 'name' ? [part.name] : []));
}

function parse(text: string): readonly Part[] {
  const parts: Part[] = [];
  const token = /\*|\{([a-z][a-zA-Z0-9]*)\}/g;
  let from = 0;
  for (const found of text.matchAll(token)) {
    if (found.index > from) parts.push({ kind: 'text', text: text.slice(from, found.index) });
    parts.push(found[1] === undefined ? { kind: 'any' } : { kind: 'name', name: found[1] });
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
