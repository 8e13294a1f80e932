import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createProgram } from '../../src/cli/program.js';
import { runDaemon } from '../../workers/daemon.js';
import { adapters } from '../../workers/wire.js';
import { makeSparseReserve } from './sparse-reserve.js';

/** What a command did. */
export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  /** The one JSON document of stdout. */
  json(): Record<string, unknown>;
}

export interface Client {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly enabled?: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A directory with a configuration and an identity provider's document, and the program run on them in this process. */
export interface CommandLine {
  readonly directory: string;
  readonly configFile: string;
  /** Writes the identity provider's document. */
  idp(...clients: Client[]): void;
  /** What the document says instead. */
  brokenIdp(text: string): void;
  /** Replaces parts of the configuration; the parts are JSON. */
  configure(parts: Readonly<Record<string, unknown>>): void;
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  close(): void;
}

export interface RunOptions {
  /** Runs as on a terminal, on which this is typed. */
  readonly typed?: string;
  /** The standard input of a command without a terminal. */
  readonly piped?: string;
  /** The standard input does not end. */
  readonly staysOpen?: boolean;
  readonly signal?: AbortSignal;
  /** Called with all output on stdout. */
  readonly onOut?: (text: string) => void;
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
}

/** An embedded or a real one. */
export interface ConsulAddress {
  readonly consul: { readonly address: string; readonly managementToken: string };
}

/** One finding of `doctor --json`. */
export interface DoctorFinding {
  readonly id: string;
  readonly severity: string;
  readonly message: string;
  readonly remedy: string;
}

/** Nothing listens there. */
const NO_CONSUL: ConsulAddress = { consul: { address: 'http://127.0.0.1:9', managementToken: '' } };

export function createCommandLine(mesh: ConsulAddress = NO_CONSUL): CommandLine {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-cli-'));
  const configFile = join(directory, 'scopemesh.json');
  const document = join(directory, 'clients.json');
  const state = join(directory, 'state');
  const defaults = {
    owner: 'payments',
    mode: 'enforce',
    consul: { address: mesh.consul.address, token: mesh.consul.managementToken },
    providers: [{ name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory: document }],
    scopes: {
      'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
      'orders:write': { to: 'orders', methods: ['POST'], path: '/v1/orders' },
      '{service}:connect': { to: '{service}' },
    },
    // Nothing listens on port 9, so that no daemon of somebody else is found.
    http: { listen: '127.0.0.1:9' },
    state: { directory: state },
  };
  const self: CommandLine = {
    directory,
    configFile,
    idp(...clients) {
      const full = clients.map((client) => ({
        grantTypes: ['client_credentials'],
        enabled: true,
        attributes: {},
        ...client,
      }));
      writeFileSync(document, JSON.stringify({ clients: full }));
    },
    brokenIdp: (text) => writeFileSync(document, text),
    configure: (parts) => writeFileSync(configFile, JSON.stringify({ ...defaults, ...parts })),
    async run(args, options = {}) {
      // These make the state directory; others must not.
      if (args.includes('apply') || args.includes('run')) makeSparseReserve(state);
      const isTTY = options.typed !== undefined;
      const texts = { out: '', err: '' };
      const stdin = Object.assign(new PassThrough(), { isTTY });
      stdin.write(options.typed ?? options.piped ?? '');
      if (options.staysOpen !== true) stdin.end();
      const program = createProgram({
        adapters: async () => adapters,
        runDaemon,
        signal: options.signal ?? new AbortController().signal,
        environment: { NO_COLOR: '1', ...options.environment },
        onReload: () => {},
        stdout: {
          isTTY,
          write: (text: string) => {
            texts.out += text;
            options.onOut?.(texts.out);
          },
        },
        stderr: {
          write: (text: string) => {
            texts.err += text;
          },
        },
        stdin,
        user: options.user ?? 'alice',
      });
      const status = await program.run(['node', 'scopemesh', '-c', configFile, ...args]);
      return { status, ...texts, json: () => JSON.parse(texts.out) as Record<string, unknown> };
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
  self.configure({});
  return self;
}
