import { dirname, resolve } from 'node:path';
import { isRecord } from '../src/model/is-record.js';
import { aclFindings } from './acl-checks.js';
import { readCaCerts } from './ca-certs.js';
import { asMap, crossFindings } from './checks.js';
import type { Config } from './config.js';
import { ConfigError, type ConfigPath, type ConfigProblem } from './config-error.js';
import { readDocument } from './document.js';
import { expand, failureOf, MAX_FILE_BYTES } from './expand.js';
import type { Finding } from './finding.js';
import { toFindings } from './issues.js';
import { onlyMapping } from './only-mapping.js';
import { FIRST_OWNER } from './proposed-file.js';
import { DAEMON_FILE, FILE, LOG_FILE } from './schema.js';
import { toConfig, toDaemonSettings, toLogSettings } from './to-config.js';

export interface LoadOptions {
  /** The configuration file; relative to the current directory. */
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the file itself and those of `${file:PATH}`; see `readTextFile`. */
  readonly readFile: (path: string) => Promise<string>;
}

/**
 * Reads, expands and checks a configuration file. `source` is its absolute path. Throws one ConfigError with all faults,
 * which contains no value of the file. `check` finds more faults of a file that has no other.
 */
export async function loadConfig(
  options: LoadOptions,
  check?: (config: Config) => Promise<readonly Finding[]>,
): Promise<{ config: Config; source: string }> {
  return load(options, (value) => value, check);
}

/**
 * Reads only what decides access, for commands that reach no server. Secrets and addresses may be missing or wrong. In the
 * result, Consul, the stores and all of a provider but its name and APIs are stand-ins.
 */
export async function loadMapping(options: LoadOptions): Promise<Config> {
  return (await load(options, onlyMapping)).config;
}

/**
 * Like `loadConfig`, for a file without a mapping. Missing `scopes`, `owner` and `mode` get values that open and write
 * nothing.
 */
export async function loadWithoutMapping(options: LoadOptions): Promise<{ config: Config; source: string }> {
  return load(options, (value) => {
    const { scopes, ...rest } = asMap(value);
    return { owner: FIRST_OWNER, mode: 'observe', ...rest, scopes: scopes ?? {} };
  });
}

async function load(
  options: LoadOptions,
  select: (value: unknown) => unknown,
  check?: (config: Config) => Promise<readonly Finding[]>,
): Promise<{ config: Config; source: string }> {
  const source = resolve(options.path);
  const text = await readConfigText(options);
  const document = readDocument(text);
  if (document.faults.length > 0 && document.value === undefined)
    throw new ConfigError(options.path, document.faults);

  const directory = dirname(source);
  const expanded = await expand(select(document.value), { ...options, directory });
  const checked = FILE.safeParse(expanded.value);
  const broken: readonly ConfigPath[] = [...document.faults, ...expanded.findings].map(({ path }) => path);
  const findings = [
    ...(checked.success ? [] : toFindings(checked.error.issues, expanded.value, FILE)),
    ...crossFindings(expanded.value),
    ...aclFindings(expanded.value),
  ].filter((found) => !broken.some((path) => path.length > 0 && isWithin(found.path, path)));
  const place = ({ at, path, ...text }: Finding): ConfigProblem => ({
    path,
    ...document.locate(path, at),
    ...text,
  });
  const problems = [...document.faults, ...[...expanded.findings, ...findings].map(place)];
  if (!checked.success || problems.length > 0) throw new ConfigError(options.path, problems);
  const { config, findings: ofFiles } = await readCaCerts(
    toConfig(checked.data, directory),
    options.readFile,
  );
  const more = ofFiles.length > 0 ? ofFiles : ((await check?.(config)) ?? []);
  if (more.length > 0) throw new ConfigError(options.path, more.map(place));
  return { config, source };
}

/** Where the decisions are. What else a file says may be wrong. */
export interface LogSettings {
  readonly settings: Pick<Config, 'owner' | 'decisions' | 'state'>;
  /** Every fault of the file, for a warning; undefined for a file without faults. */
  readonly fault: ConfigError | undefined;
}

/**
 * Reads only where the decisions are, for commands that look at the log while the rest of the file is wrong. Throws the
 * ConfigError of the whole file if `owner`, `decisions` or `state` is wrong as well.
 */
export async function loadLogSettings(options: LoadOptions): Promise<LogSettings> {
  try {
    return { settings: (await loadConfig(options)).config, fault: undefined };
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault;
    const source = resolve(options.path);
    const document = readDocument(await readConfigText(options));
    const { owner, decisions, state } = asMap(document.value);
    const directory = dirname(source);
    // Who reads the log need not have the secrets of those that it is sent to.
    const { webhooks: _, ...log } = asMap(decisions);
    const parts = { owner, decisions: isRecord(decisions) ? log : decisions, state };
    const expanded = await expand(parts, { ...options, directory });
    const checked = LOG_FILE.safeParse(expanded.value);
    if (!checked.success || expanded.findings.length > 0) throw fault;
    return { settings: toLogSettings(checked.data, directory), fault };
  }
}

/** Where the daemon of this file is. What else the file says may be wrong, and its secrets may be missing. */
export type DaemonSettings = Pick<Config, 'owner' | 'http' | 'state'>;

/** Reads only that. Throws the ConfigError of the whole file if `owner`, `http` or `state` is wrong. */
export async function loadDaemonSettings(options: LoadOptions): Promise<DaemonSettings> {
  const { owner, http, state } = asMap(readDocument(await readConfigText(options)).value);
  const directory = dirname(resolve(options.path));
  // A command sends the token of the state directory.
  const { tokens: _, console: __, ...listeners } = asMap(http);
  const parts = { owner, http: isRecord(http) ? listeners : http, state };
  const expanded = await expand(parts, { ...options, directory });
  const checked = DAEMON_FILE.safeParse(expanded.value);
  return checked.success && expanded.findings.length === 0
    ? toDaemonSettings(checked.data, directory)
    : (await loadConfig(options)).config;
}

/** The text of the file at `options.path`, or a ConfigError. */
export async function readConfigText(options: LoadOptions): Promise<string> {
  const refuse = (message: string, remedy: string) =>
    new ConfigError(options.path, [{ path: [], line: 1, column: 1, message, remedy }]);
  let text: string;
  try {
    text = await options.readFile(resolve(options.path));
  } catch (error) {
    const failure = failureOf(error);
    if (failure === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw refuse('the file is not UTF-8', 'save it as UTF-8');
    throw refuse(
      `the file cannot be read (${failure})`,
      'check its path and permissions, or name another with -c',
    );
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES)
    throw refuse('the file is larger than 1 MiB', 'is it the right one?');
  return text;
}

function isWithin(path: ConfigPath, outer: ConfigPath): boolean {
  return outer.every((part, index) => path[index] === part);
}
