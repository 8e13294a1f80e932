import { configJsonSchema } from '../config/json-schema.js';
import { METRICS } from '../src/observe.js';
import { COMMAND_CHAPTERS, commandLine, helpOf } from './command-help.js';
import { type ConfigurationKey, configurationKeys } from './configuration-keys.js';
import { MEANINGS } from './configuration-meanings.js';

/** The lists of the manual that are made from the code, each by its name in the text. */
async function lists(): Promise<ReadonlyMap<string, string>> {
  const keys = configurationKeys(configJsonSchema());
  return new Map([
    ['metrics', metricsList()],
    ['commands', await commandsList()],
    ['options of every command', globalOptions(await helpOf(''))],
    ...CHAPTERS.map(
      ([name, begins]) =>
        [`keys of ${name}`, keysList(keys.filter(({ path }) => begins.test(path)))] as const,
    ),
  ]);
}

/** Every key belongs to exactly one. */
export const CHAPTERS: readonly (readonly [name: string, begins: RegExp])[] = [
  ['the instance', /^(owner|mode|lease\.ttl|resync|\$schema)$/],
  ['select', /^select\b/],
  ['telemetry', /^telemetry\b/],
  ['consul', /^consul\./],
  ['every provider', /^providers(\[\]\.(kind|name|issuer|insecure|caFile|webhook\.secrets|poll|fullRead))?$/],
  ['several kinds', /^providers\[\]\.(clientId|clientSecret|apis)$/],
  ['tokens', /^providers\[\]\.(audience|userAudience|keysCaFile|forwardUserAs|claims\.\w+)$/],
  ['auth0', /^providers\[\]\.(tenant|eventStream)$/],
  ['entra', /^providers\[\]\.(webhook\.url|certificate\.\w+|federatedTokenFile|cloud|graph)$/],
  ['keycloak', /^providers\[\]\.serviceAccountRoles$/],
  ['oidc', /^providers\[\]\.(directory|directoryToken)$/],
  ['okta', /^providers\[\]\.(org|privateKey|keyId|apiToken|aiAgents)$/],
  ['ssf', /^providers\[\]\.ssf\./],
  ['services', /^services\./],
  ['scopes', /^scopes\b/],
  ['actors', /^actors\./],
  ['guards', /^guards\./],
  ['stores', /^(queue|decisions|state)\b/],
  ['http', /^http\b/],
  ['login and groups', /^(login|groups)\b/],
];

/** A text with each of its generated blocks as it should be. Throws for a block that nothing makes. */
export async function withGenerated(text: string): Promise<string> {
  const made = await lists();
  return text.replaceAll(BLOCK, (_, name: string) => {
    const list = made.get(name);
    if (list === undefined) throw new Error(`no list is called ${name}`);
    return `<!-- generated: ${name} -->\n\n${list}\n\n<!-- end -->`;
  });
}

const BLOCK = /<!-- generated: ([a-z0-9 -]+) -->.*?<!-- end -->/gs;

const COLUMNS = 120;

async function commandsList(): Promise<string> {
  const chapters = COMMAND_CHAPTERS.map(async ({ title, commands }) => {
    const lines = await Promise.all(commands.map(commandLine));
    return `## ${title}\n\n${lines.map(item).join('\n')}`;
  });
  return (await Promise.all(chapters)).join('\n\n');
}

function globalOptions(help: string): string {
  const options = [...help.matchAll(/^ {2}(-\w, )?(--[\w-]+(?: <\w+>)?) +(.+)$/gm)];
  return options.map(([, short = '', long, text]) => item(`\`${short}${long}\`: ${text}.`)).join('\n');
}

function metricsList(): string {
  return Object.entries(METRICS)
    .map(([name, [kind, help, labels]]) => {
      const by = labels.length === 0 ? '' : `; labels ${labels.map((label) => `\`${label}\``).join(', ')}`;
      return item(`\`${name}\` (${kind}${by}): ${help}`);
    })
    .join('\n');
}

function keysList(keys: readonly ConfigurationKey[]): string {
  return keys
    .map((key) => {
      const value = key.isRequired
        ? '; required'
        : key.fallback === undefined
          ? ''
          : `; default \`${key.fallback}\``;
      return item(`\`${key.path}\` (${key.type}${value}): ${meaningOf(key)}`);
    })
    .join('\n');
}

/** Where not all kinds have the key: what it means under which. */
function meaningOf({ path, description, kind, meanings }: ConfigurationKey): string {
  const known = MEANINGS[path];
  if (meanings === undefined) return `${kind === undefined ? '' : `(${kind}) `}${known ?? description}`;
  if (known !== undefined) return `(${meanings.flatMap(({ kinds }) => kinds).join(', ')}) ${known}`;
  return meanings.map(({ kinds, description: text }) => `(${kinds.join(', ')}) ${text}`).join(' ');
}

/** An item of a list, in lines of the manual's width. */
function item(text: string): string {
  const lines: string[] = [];
  let line = '-';
  // A short piece of code stays in one line, and so does the text of a link.
  for (const word of escaped(text).match(/(?:`[^`]{1,75}`|\[[^\]]*\](?=\()|\S)+/g) ?? []) {
    if (line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll(/<(?=[a-z])/g, (found, at: number) => (isCode(text, at) ? found : '&lt;'));
}

/** Whether a place lies between backticks, where Markdown takes nothing for a tag. */
function isCode(text: string, at: number): boolean {
  return text.slice(0, at).split('`').length % 2 === 0;
}
