import { FILE } from '../config/schema.js';
import { isRecord } from '../src/model/is-record.js';

/** One key of the configuration file, as the manual shows it. */
export interface ConfigurationKey {
  /** `providers[].poll`, `scopes.<scope>.to`, `actors.<kind>.never`. */
  readonly path: string;
  readonly type: string;
  /** JSON, or undefined for a key without a default. */
  readonly fallback: string | undefined;
  readonly isRequired: boolean;
  /** From the schema; empty where it says nothing. */
  readonly description: string;
  /** Only under this `kind`. */
  readonly kind?: string;
  /** What it means under each kind, where not all kinds have it. */
  readonly meanings?: readonly { readonly kinds: readonly string[]; readonly description: string }[];
}

type Node = Readonly<Record<string, unknown>>;

/** Every key of the JSON Schema, in its order. Objects and lists of objects are followed, not shown. */
export function configurationKeys(schema: Node): readonly ConfigurationKey[] {
  const keys = keysOf(schema, '');
  // The three actor kinds have the same keys.
  return keys
    .filter(({ path }) => !/^actors\.(workload|agent)\./.test(path))
    .map((key) => ({ ...key, path: key.path.replace(/^actors\.human\./, 'actors.<kind>.') }));
}

function keysOf(schema: Node, prefix: string, kind?: string): ConfigurationKey[] {
  const required = listOf(schema.required);
  return Object.entries(nodeOf(schema.properties)).flatMap(([name, value]) => {
    const node = nodeOf(value);
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return keysAt(node, path, required.includes(name), kind);
  });
}

function keysAt(node: Node, path: string, isRequired: boolean, kind?: string): ConfigurationKey[] {
  const own: ConfigurationKey = {
    path,
    type: typeOf(node, path),
    fallback: node.default === undefined ? undefined : JSON.stringify(node.default),
    isRequired,
    description: typeof node.description === 'string' ? node.description : '',
    ...(kind === undefined ? {} : { kind }),
  };
  if (path === 'telemetry.headers') return [own];
  if (path === 'groups') return [own, ...keysOf(nodeOf(node.additionalProperties), 'groups.<group>')];
  if (path === 'scopes') return [own, ...keysOf(ruleOf(node), 'scopes.<scope>')];
  const items = nodeOf(node.items);
  const choices = listOf(node.oneOf ?? items.oneOf ?? items.anyOf).map(nodeOf);
  const inner = node.type === 'array' ? `${path}[]` : path;
  if (choices.some((choice) => choice.type === 'object')) return [own, ...keysOfChoices(choices, inner)];
  if (items.type === 'object') return [own, ...keysOf(items, inner, kind)];
  const object = node.type === 'object' ? node : listOf(node.anyOf).map(nodeOf).find(isObject);
  if (object !== undefined) {
    const below = keysOf(object, path, kind);
    return node.type === 'object' ? below : [own, ...below];
  }
  return [own];
}

/** A key that every choice has is listed once; any other key says what it means under which kinds. */
function keysOfChoices(choices: readonly Node[], prefix: string): ConfigurationKey[] {
  const all = choices.map((choice) => {
    const constant = nodeOf(nodeOf(choice.properties).kind).const;
    return keysOf(choice, prefix, typeof constant === 'string' ? constant : undefined);
  });
  return [...new Set(all.flat().map(({ path }) => path))].flatMap((path) => {
    const holders = all.flatMap((keys) => keys.filter((key) => key.path === path));
    const [first] = holders;
    if (first === undefined) return [];
    const { kind, ...shared } = first;
    if (path === `${prefix}.kind`)
      return [{ ...shared, type: [...new Set(holders.map(({ type }) => type))].join(', ') }];
    if (holders.length === all.length) return [shared];
    if (kind === undefined) return [{ ...shared, isRequired: false }];
    const isRequired = holders.every((key) => key.isRequired);
    return [{ ...shared, isRequired, meanings: meaningsOf(holders) }];
  });
}

function meaningsOf(holders: readonly ConfigurationKey[]): NonNullable<ConfigurationKey['meanings']> {
  const found = new Map<string, string[]>();
  for (const { kind = '', description } of holders)
    found.set(description, [...(found.get(description) ?? []), kind]);
  return [...found].map(([description, kinds]) => ({ kinds, description }));
}

const DURATION = '^(?:\\d{1,9}(?:ms|s|m|h|d))+$';
const NAME = '^[a-z0-9][a-z0-9-]{0,62}$';
const SECRET =
  /(?:^|\.)(?:token|directoryToken|clientSecret|privateKey|apiToken|password|queue\.url|secrets\[\]|pushTokens\[\])$/;
const TOGGLE = '"on","off","true","false"';

function typeOf(node: Node, path: string): string {
  if (SECRET.test(path)) return 'secret';
  if (node.type === 'array') {
    const items = nodeOf(node.items);
    return isObject(items) ||
      items.oneOf !== undefined ||
      listOf(items.anyOf).some((each) => isObject(nodeOf(each)))
      ? 'list of maps'
      : `list of ${typeOf(items, `${path}[]`)}`;
  }
  if (typeof node.const === 'string') return `\`${node.const}\``;
  const text = JSON.stringify(node);
  if (node.anyOf !== undefined && text.includes(TOGGLE))
    return text.includes('"type":"object"')
      ? 'on, off or a map'
      : text.includes('"const":"registered"')
        ? 'on, off or registered'
        : 'on or off';
  const [constraint] = listOf(node.anyOf).map(nodeOf);
  const form = constraint === undefined || isObject(node) ? node : constraint;
  if (form.enum !== undefined)
    return listOf(form.enum)
      .map((each) => `\`${String(each)}\``)
      .join(', ');
  if (form.pattern === DURATION) return `duration${boundsOf(path)}`;
  if (form.pattern === NAME) return 'name';
  if (form.type === 'integer') return `whole number, ${String(form.minimum)} to ${String(form.maximum)}`;
  return form.type === 'object' || node.oneOf !== undefined ? 'map' : 'text';
}

/** The bounds stand in the message of the schema alone. */
function boundsOf(path: string): string {
  const parts = path.replaceAll('[]', '.0').split('.');
  const [first = '', ...rest] = parts;
  const nested = rest.reduceRight<unknown>(
    (value, part) => (part === '0' ? [{ kind: 'keycloak', ...nodeOf(value) }] : { [part]: value }),
    '0ms',
  );
  // A union gives the bounds of a variant only if its kind is there.
  const variant = first === 'decisions' ? { kind: 'embedded', ...nodeOf(nested) } : nested;
  const issues = FILE.safeParse({ [first]: rest.length === 0 ? '0ms' : variant }).error?.issues ?? [];
  const found = issues.map(({ message }) => /^must be from (\S+) to (\S+)$/.exec(message)).find(Boolean);
  return found === undefined || found === null ? '' : `, ${found[1]} to ${found[2]}`;
}

/** A scope has one rule or a list of them; the keys are the same. */
function ruleOf(scopes: Node): Node {
  return listOf(nodeOf(scopes.additionalProperties).anyOf).map(nodeOf).find(isObject) ?? {};
}

function isObject(node: Node): boolean {
  return node.type === 'object';
}

function nodeOf(value: unknown): Node {
  return isRecord(value) ? value : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
