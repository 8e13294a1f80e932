import { z } from 'zod';
import type { ConfigPath } from './config-error.js';
import { TARGET_FORM } from './fields.js';
import { type Finding, finding } from './finding.js';
import { suggestion } from './suggestion.js';

type Issue = z.core.$ZodIssue;

/** The schema's issues as findings. `root` is the checked value. */
export function toFindings(issues: readonly Issue[], root: unknown, schema: z.core.$ZodType): Finding[] {
  return issues.flatMap((issue) => fromIssue(issue, [], root, schema));
}

function fromIssue(issue: Issue, prefix: ConfigPath, root: unknown, schema: z.core.$ZodType): Finding[] {
  const path = [...prefix, ...issue.path.filter((part) => typeof part !== 'symbol')];
  const value = valueAt(root, path);
  if (issue.code === 'unrecognized_keys') {
    const known = [...knownKeys(schema, path, root)];
    return issue.keys.map((key) => unknownKey([...path, key], key, known, value));
  }
  if (issue.code !== 'invalid_key' && value === undefined) {
    const at = typeof path.at(-1) === 'number' ? 'value' : 'key';
    return [finding(path, `is missing; add the key${choiceOf(issue)}`, at)];
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => finding(path, ownWords(inner.message) ?? 'is not a valid key', 'key'));
  }
  if (issue.code === 'invalid_union') return fromUnion(issue, path, value, root, schema);
  const own = ownWords(issue.message);
  if (own !== undefined && value !== null) return [finding(path, own)];
  if (issue.code === 'invalid_type') return [finding(path, wrongType(issue.expected, value))];
  if (issue.code === 'invalid_value') return [finding(path, oneOf(issue.values.map(String), value))];
  return [finding(path, 'is not valid; see the documentation of this key')];
}

/** The values that a missing key may have, if they are a short list. */
function choiceOf(issue: Issue): string {
  const values =
    issue.code === 'invalid_value' ? issue.values : 'options' in issue ? issue.options : undefined;
  if (!Array.isArray(values) || values.length === 0) return '';
  return ` with ${values.length === 1 ? '' : 'one of '}${values.map(String).join(', ')}`;
}

/** The issues of the branch that fits the value best: the one with its outer type or form. */
function fromUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: ConfigPath,
  value: unknown,
  root: unknown,
  schema: z.core.$ZodType,
): Finding[] {
  const own = ownWords(issue.message);
  if (issue.errors.length === 0) {
    if (own !== undefined) return [finding(path, own)];
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    return [finding(path, oneOf(options, value))];
  }
  const fitting = issue.errors.filter(
    (branch) =>
      !branch.some(
        ({ code, path: inner }) =>
          inner.length === 0 && code !== 'unrecognized_keys' && code !== 'custom' && code !== 'too_small',
      ),
  );
  const [best] = fitting.toSorted((a, b) => weight(a) - weight(b));
  if (best === undefined) return [finding(path, own ?? 'must be a map or a list of maps')];
  return best.flatMap((inner) => fromIssue(inner, path, root, schema));
}

function weight(branch: readonly Issue[]): number {
  return branch.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);
}

/** Keys that people look for at the top of the file. */
const MISPLACED: ReadonlyMap<string, string> = new Map([
  ['target', `belongs under "consul"; write ${TARGET_FORM}`],
]);

function unknownKey(path: ConfigPath, key: string, known: readonly string[], siblings: unknown): Finding {
  const place = path.length === 1 ? MISPLACED.get(key) : undefined;
  if (place !== undefined) return finding(path, place, 'key');
  const free = known.filter(
    (name) => typeof siblings !== 'object' || siblings === null || !Object.hasOwn(siblings, name),
  );
  const meant = suggestion(key, free);
  if (meant !== undefined) return finding(path, `unknown key; did you mean "${meant}"?`, 'key');
  return finding(
    path,
    `unknown key; ${free.length === 0 ? 'remove it' : `known here: ${free.join(', ')}`}`,
    'key',
  );
}

/** A message of this schema; undefined for zod's messages, which mention types and quote patterns. */
function ownWords(message: string): string | undefined {
  return /^(?:Invalid|Unrecognized|Too )/.test(message) ? undefined : message;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'must be text',
  boolean: 'must be true or false',
  object: 'must be a map',
  record: 'must be a map',
  array: 'must be a list',
};

function wrongType(expected: string, value: unknown): string {
  const requirement = TYPE_WORDS[expected] ?? `must be a ${expected}`;
  if (value === null) return `is empty, but ${requirement}; give it a value or remove the key`;
  if (expected !== 'string')
    return `${requirement}; ${expected === 'array' ? 'write [ … ] or lines that begin with -' : 'write key: value'}`;
  return typeof value === 'object'
    ? `${requirement}; put text that begins with { or [ in quotes`
    : `${requirement}; put it in quotes`;
}

function oneOf(options: readonly string[], value: unknown): string {
  const meant = typeof value === 'string' ? suggestion(value, options) : undefined;
  const list = options.length === 1 ? `must be "${options[0]}"` : `must be one of ${options.join(', ')}`;
  return meant === undefined || options.length === 1 ? list : `${list}; did you mean "${meant}"?`;
}

function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** The known keys of the map at `path`, over all branches with its `kind`. */
function knownKeys(schema: z.core.$ZodType, path: ConfigPath, root: unknown): ReadonlySet<string> {
  const [part, ...rest] = path;
  if (schema instanceof z.ZodUnion) {
    const kind = valueAt(root, ['kind']);
    const branches = schema.options.filter(
      (option) => kindOf(option) === undefined || kindOf(option) === kind,
    );
    return new Set(branches.flatMap((option) => [...knownKeys(option, path, root)]));
  }
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodExactOptional ||
    schema instanceof z.ZodPrefault
  ) {
    return knownKeys(schema.def.innerType, path, root);
  }
  if (part === undefined) return new Set(schema instanceof z.ZodObject ? Object.keys(schema.shape) : []);
  const inner =
    schema instanceof z.ZodObject
      ? schema.shape[part]
      : schema instanceof z.ZodArray
        ? schema.element
        : schema instanceof z.ZodRecord
          ? schema.valueType
          : undefined;
  return inner === undefined ? new Set() : knownKeys(inner, rest, valueAt(root, [part]));
}

/** The literal `kind` of a branch of a discriminated union. */
function kindOf(schema: z.core.$ZodType): unknown {
  const kind = schema instanceof z.ZodObject ? schema.shape.kind : undefined;
  return kind instanceof z.ZodLiteral ? kind.value : undefined;
}
