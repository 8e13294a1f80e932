// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written so
import { isAbsolute, relative, resolve } from 'node:path';
import { isMap, isPair, isScalar, isSeq, parseDocument, visit, YAMLSeq } from 'yaml';
import { definedFields } from '../src/model/defined-fields.js';
import type { Rule } from '../src/model/rule.js';
import { safeParse } from '../src/safe-parse.js';
import { crossFindings } from './checks.js';
import type { Config } from './config.js';
import { SCOPES } from './rule-schema.js';
import { STATE_DIRECTORY } from './schema.js';

/** The owner of a configuration that does not have one yet. */
export const FIRST_OWNER = 'scopemesh';

/** Whether a configuration file with these providers can hold the rule. */
export function isWritableRule(rule: Rule, { providers }: Pick<Config, 'providers'>): boolean {
  if (rule.scope === '__proto__') return false;
  const scopes = { [rule.scope]: toFileRule(rule) };
  const owners = providers.map(({ name, kind, apis }) => ({ name, kind, ...definedFields({ apis }) }));
  return (
    safeParse(SCOPES, scopes).success &&
    crossFindings({ scopes, providers: owners }).every(({ path }) => path[0] !== 'scopes')
  );
}

/**
 * The text of a configuration file in the directory `to`, from the text of one in `from`: with these rules besides its own,
 * in `mode: observe`. Its references stay unexpanded. Its relative paths still lead to the same files, except one that begins
 * with the value of a variable: `changedSections` finds it.
 */
export function toProposedText(
  text: string,
  rules: readonly Rule[],
  { from, to }: { readonly from: string; readonly to: string },
): string {
  const document = parseDocument(text, { version: '1.2', schema: 'core' });
  if (from !== to) {
    if (!document.hasIn(['state', 'directory'])) document.setIn(['state', 'directory'], STATE_DIRECTORY);
    visit(document, {
      // Of a pair the value, and of a list each text.
      Scalar(at, node, path) {
        if (at === 'key' || typeof node.value !== 'string') return;
        const parent = path.at(-1);
        const key = isPair(parent) && isScalar(parent.key) ? String(parent.key.value) : '';
        node.value = movedPaths(key, node.value, (file) => movedPath(file, from, to));
      },
    });
  }
  if (!document.has('owner')) document.set('owner', FIRST_OWNER);
  document.set('mode', 'observe');
  let scopes = document.get('scopes', true);
  if (!isMap(scopes)) {
    scopes = document.createNode({});
    document.set('scopes', scopes);
  }
  if (isMap(scopes)) scopes.flow = false;
  for (const rule of rules) {
    const node = document.createNode(toFileRule(rule, escaped), { flow: true, aliasDuplicateObjects: false });
    const known: unknown = document.getIn(['scopes', rule.scope], true);
    if (isSeq(known)) known.add(node);
    else if (known === undefined) document.setIn(['scopes', rule.scope], node);
    else {
      const list = new YAMLSeq();
      list.items.push(known, node);
      document.setIn(['scopes', rule.scope], list);
    }
  }
  return document.toString({ lineWidth: 120 });
}

/** The sections of a moved configuration that say something else than before, such as a path that was not moved. */
export function changedSections(before: Config, after: Config): readonly string[] {
  const { mode: _, rules: __, ...kept } = before;
  const now = new Map(Object.entries(after));
  return Object.entries(kept).flatMap(([key, value]) =>
    JSON.stringify(value) === JSON.stringify(now.get(key)) ? [] : [key],
  );
}

function toFileRule(
  { scope: _, userRequired, ...rest }: Rule,
  write: (text: string) => string = (text) => text,
): Record<string, unknown> {
  const rule = { ...rest, ...(userRequired ? { user: 'required' } : {}) };
  return JSON.parse(JSON.stringify(rule), (__, value: unknown) =>
    typeof value === 'string' ? write(value) : value,
  ) as Record<string, unknown>;
}

/** As the loader expands it. */
function escaped(text: string): string {
  return text.replaceAll('${', () => '$${');
}

/** Keys whose values are paths of files. */
const PATH_KEY = /^directory$|File$/;

function movedPaths(key: string, value: string, move: (path: string) => string): string {
  const moved = value.replaceAll(/(?<!\$)\$\{file:([^}]*)\}/g, (_, path: string) => `\${file:${move(path)}}`);
  if (!PATH_KEY.test(key)) return moved;
  const moveFile = (path: string) => (path === '' || /^https?:\/\//i.test(path) ? path : move(path));
  if (!value.startsWith('${')) return moveFile(value);
  return moved.replace(
    /^\$\{(\w+):-([^}]*)\}/,
    (_, name: string, path: string) => `\${${name}:-${moveFile(path)}}`,
  );
}

function movedPath(path: string, from: string, to: string): string {
  if (isAbsolute(path)) return path;
  const moved = relative(to, resolve(from, path));
  return moved.startsWith('.') ? moved : `./${moved}`;
}
