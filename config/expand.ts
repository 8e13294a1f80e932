// biome-ignore-all lint/suspicious/noTemplateCurlyInString: messages show how references are written
import { isAbsolute, join } from 'node:path';
import type { ConfigPath } from './config-error.js';
import { type Finding, finding } from './finding.js';

/** The sources of `${NAME}` and `${file:PATH}`. */
export interface Sources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly directory: string;
  /** Rejects where the file cannot be read. */
  readonly readFile: (path: string) => Promise<string>;
}

export const MAX_FILE_BYTES = 1024 * 1024;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/**
 * Replaces `${NAME}`, `${NAME:-default}` (also if NAME is empty) and `${file:PATH}` in every string value, never in a key.
 * `$${` becomes `${`. The inserted text is neither parsed nor expanded again.
 */
export async function expand(
  value: unknown,
  sources: Sources,
): Promise<{ value: unknown; findings: Finding[] }> {
  const findings: Finding[] = [];
  const expanded = await visit(value, [], sources, findings);
  return { value: expanded, findings };
}

async function visit(
  value: unknown,
  path: ConfigPath,
  sources: Sources,
  findings: Finding[],
): Promise<unknown> {
  if (typeof value === 'string') return expandText(value, path, sources, findings);
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const [index, item] of value.entries())
      items.push(await visit(item, [...path, index], sources, findings));
    return items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value))
    entries.push([key, await visit(item, [...path, key], sources, findings)]);
  return Object.fromEntries(entries);
}

/** Undefined if a reference could not be replaced, so that no further fault is reported for the value. */
async function expandText(
  text: string,
  path: ConfigPath,
  sources: Sources,
  findings: Finding[],
): Promise<string | undefined> {
  let result = '';
  let end = 0;
  const before = findings.length;
  for (const match of text.matchAll(REFERENCE)) {
    result += text.slice(end, match.index);
    end = match.index + match[0].length;
    if (match[0] === '$${') {
      result += '${';
      continue;
    }
    const found = await resolve(match[1], sources);
    if (typeof found === 'string') result += found;
    else findings.push(finding(path, found.fault));
  }
  return findings.length > before ? undefined : result + text.slice(end);
}

async function resolve(reference: string | undefined, sources: Sources): Promise<string | { fault: string }> {
  if (reference?.startsWith('file:')) return readReferenced(reference.slice('file:'.length), sources);
  const variable = reference === undefined ? null : VARIABLE.exec(reference);
  if (variable === null) {
    return {
      fault:
        'the reference that begins with ${ is incomplete; write ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for the text itself',
    };
  }
  const [, name = '', fallback] = variable;
  const set = Object.hasOwn(sources.environment, name) ? sources.environment[name] : undefined;
  if (fallback !== undefined) return set === undefined || set === '' ? fallback : set;
  return (
    set ?? { fault: `the environment variable ${name} is not set; set it or write \${${name}:-default}` }
  );
}

async function readReferenced(path: string, sources: Sources): Promise<string | { fault: string }> {
  if (path === '') return { fault: '${file:} names no file; write ${file:PATH}' };
  const quoted = JSON.stringify(path);
  try {
    const content = await sources.readFile(isAbsolute(path) ? path : join(sources.directory, path));
    if (Buffer.byteLength(content) > MAX_FILE_BYTES)
      return { fault: `the file ${quoted} is larger than 1 MiB; is it the right one?` };
    return content.replace(/\r?\n$/, '');
  } catch (error) {
    return {
      fault: `the file ${quoted} cannot be read (${failureOf(error)}); check its path and permissions`,
    };
  }
}

/** Only the system's error code, because a message could quote content. */
export function failureOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9_]+$/.test(code) ? code : 'unknown failure';
}
