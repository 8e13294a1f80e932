import type { Config } from '../../config/config.js';
import { ConfigError, formatProblem } from '../../config/config-error.js';
import { loadConfig } from '../../config/load.js';

export interface ConfigInputs {
  readonly environment?: Readonly<Record<string, string>>;
  /** Contents by absolute path; the configuration file itself is /etc/scopemesh/scopemesh.yaml. */
  readonly files?: Readonly<Record<string, string>>;
}

const PATH = '/etc/scopemesh/scopemesh.yaml';

export async function loadText(text: string, inputs: ConfigInputs = {}): Promise<Config> {
  const files: Readonly<Record<string, string>> = { ...inputs.files, [PATH]: text };
  const { config } = await loadConfig({
    path: PATH,
    environment: inputs.environment ?? {},
    readFile: async (path) => {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      return content;
    },
  });
  return config;
}

/** The faults as `line:column: path: message; remedy`; empty where the file is good. */
export async function faultsOf(text: string, inputs?: ConfigInputs): Promise<readonly string[]> {
  const error = await errorOf(text, inputs);
  return (error?.problems ?? []).map((problem) => formatProblem('', problem).slice(1));
}

/** Any error that is no ConfigError fails the test. */
export async function errorOf(text: string, inputs?: ConfigInputs): Promise<ConfigError | undefined> {
  try {
    await loadText(text, inputs);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

const PARTS: Readonly<Record<string, string>> = {
  owner: 'owner: payments',
  mode: 'mode: enforce',
  consul: 'consul: { address: "http://127.0.0.1:8500" }',
  providers:
    'providers: [{ name: main, kind: keycloak, issuer: "https://sso.example.com/realms/main", clientId: scopemesh, clientSecret: s3cret, audience: consul }]',
  scopes: 'scopes: { "orders:read": { to: orders } }',
};

/** A good file of one line a key, in which `replacements` stand first (so that their places are known). */
export function fileWith(replacements: string, ...keys: readonly string[]): string {
  const rest = Object.entries(PARTS).filter(([key]) => !keys.includes(key));
  return `${replacements}\n${rest.map(([, line]) => line).join('\n')}\n`;
}
