import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../config/load.js';
import { readTextFile } from '../../config/read-text-file.js';
import type { AdapterFactory } from '../app/adapter-factory.js';
import { createMetrics } from '../app/metrics.js';
import { ROLES, type RunDaemon } from '../app/run-daemon.js';
import { consoleAddress } from '../cli/commands/console.js';
import { findDaemon } from '../cli/daemon-client.js';
import { type Clock, isoInstant, systemClock } from '../clock.js';
import { createEmbeddedIdp } from '../embedded/identity-provider/embedded-idp.js';
import { messageOf, SyncError } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import { Secret } from '../model/secret.js';
import { findConsul, type RunningConsul, startConsulChild } from './consul-child.js';
import { openDemoLog, type Warning } from './demo-log.js';
import { type IntentionWatch, watchIntentions } from './intention-watch.js';
import { AT_START, CLIENTS, SCOPE_RULES, SERVICES } from './mesh.js';
import { choosePort } from './ports.js';
import type { Reporter } from './reporter.js';
import { createLeastToken, registerServices } from './seed-consul.js';
import { startSidecars } from './sidecar.js';
import { openStateDirectory, type StateDirectory } from './state-directory.js';
import { startUpstreams } from './upstreams.js';

interface DemoOptions {
  readonly parts: AdapterFactory;
  readonly runDaemon: RunDaemon;
  /** Undefined: the default port, or a free port if that is in use. */
  readonly port: number | undefined;
  readonly consulPort: number | undefined;
  readonly idpPort: number | undefined;
  readonly isEmbedded: boolean;
  readonly stateDirectory: string | undefined;
  readonly logLevel: string;
  /** Who runs the demo. */
  readonly user: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const PORTS = { scopemesh: 8080, consul: 8500, idp: 8085, callers: 9101 };
const READY_TIMEOUT_MS = 20_000;

/** Runs everything until the signal is aborted. Resolves after a clean stop; rejects if anything did not start. */
export async function runDemo(options: DemoOptions, reporter: Reporter, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const closers: (() => Promise<void>)[] = [];
  const opened = <T extends { close(): Promise<void> }>(resource: T): T => {
    closers.unshift(() => resource.close());
    return resource;
  };
  const notes: string[] = [];
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  try {
    const state = opened(await openStateDirectory(options.stateDirectory));
    const [port, consulPort, idpPort] = await choosePorts(options, (note) => notes.push(note));
    const webhookSecret = `whsec_${randomBytes(24).toString('base64')}`;
    // 96 random bits: a short token keeps the commands to copy short.
    const idpToken = randomBytes(12).toString('base64url');
    const starting = [
      startConsul(
        {
          isEmbedded: options.isEmbedded,
          path: options.environment.PATH ?? '',
          port: consulPort,
          state,
          clock,
          onNote: (note) => notes.push(note),
        },
        ended,
      ).then(opened),
      createEmbeddedIdp({
        port: idpPort,
        clients: CLIENTS,
        managementToken: new Secret(idpToken),
        webhook: { url: `http://127.0.0.1:${port}/events/main`, secret: new Secret(webhookSecret) },
        clock,
      }).then(opened),
      startUpstreams(SERVICES).then(opened),
    ] as const;
    // If one fails, the others must have started before they are closed.
    await Promise.allSettled(starting);
    const [consul, idp, upstreams] = await Promise.all(starting);
    await registerServices(consul, SERVICES, upstreams.ports, ended);
    const watch = opened(watchIntentions(consul, clock));
    const sources = SERVICES.filter(({ client }) => client !== undefined).map(({ name }, at) => ({
      name,
      preferredPort: PORTS.callers + at,
    }));
    const { callers } = opened(await startSidecars({ sources, consul, watch }, ended));

    const configFile = join(state.path, 'scopemesh.yaml');
    const consulToken = await createLeastToken(consul, ended);
    const text = toConfigText({
      consulAddress: consul.address,
      consulToken,
      issuer: idp.issuer,
      directoryToken: idpToken,
      webhookSecret,
      port,
    });
    await writeFile(configFile, text, { mode: 0o600 });
    const load = async () =>
      (await loadConfig({ path: configFile, environment: options.environment, readFile: readTextFile }))
        .config;
    const config = await load();
    const logFile = join(state.path, 'scopemesh.log');
    const log = openDemoLog(logFile, options.logLevel, (warning: Warning) => reporter.warned(warning));
    closers.unshift(async () => log.close());
    const runtime = { logger: log.logger, metrics: createMetrics(), clock };

    const daemon = options.runDaemon(
      { config, configFile, only: ROLES, reload: load, onReload: () => {} },
      runtime,
      ended,
    );
    closers.unshift(() => daemon.catch(() => {}));
    const isEqual = await Promise.race([waitUntilEqual(watch, ended), daemon.then(() => false)]);
    if (!isEqual && !ended.aborted)
      notes.push(`Consul does not match the identity provider yet; see ${logFile}`);
    signal.throwIfAborted();
    const readyAt = isoInstant(clock);
    const own = await findDaemon(config, ended);
    if (own === undefined)
      throw new SyncError('ERR_INTERNAL', 'scopemesh does not answer', { retriable: false });
    reporter.ready({
      scopemesh: `http://127.0.0.1:${port}`,
      console: await consoleAddress(own, options.user),
      consul: { address: consul.address, managementToken: consul.managementToken },
      consulKind: consul.kind,
      idp: { address: idp.issuer, managementToken: idpToken },
      callers,
      configFile,
      stateDirectory: state.path,
      isStateKept: state.isKept,
      logFile,
      services: SERVICES,
      notes,
      open: watch.openCount(),
    });

    const decisions = opened(await options.parts.openDecisionLog(config, runtime));
    const reporting = (async () => {
      for await (const decision of decisions.read({ from: 'start', follow: true }, ended)) {
        const isOfStart = decision.cause.receivedAt <= readyAt && decision.outcome === 'applied';
        if (!isOfStart) reporter.decided(decision);
      }
    })();
    await Promise.race([daemon, reporting]);
  } catch (error) {
    // An error that comes from ending the demo is not a failure.
    if (!signal.aborted) throw error;
  } finally {
    stop.abort(new Error('the demo ends'));
    reporter.stopping();
    for (const close of closers) await close();
  }
}

/** Resolves with true once each call of `AT_START` gets its status, and with false after a timeout. */
function waitUntilEqual(watch: IntentionWatch, signal: AbortSignal): Promise<boolean> {
  const isEqual = () =>
    AT_START.every(({ from, to, method, path, status }) => {
      const { isAllowed } = watch.judge({ source: from, destination: to, method, path, headers: {} });
      return isAllowed === (status === 200);
    });
  const waiting = (stop: AbortSignal) => watch.until(isEqual, stop);
  return withLinkedSignal([signal], waiting, READY_TIMEOUT_MS).then(
    () => true,
    () => false,
  );
}

async function choosePorts(
  options: DemoOptions,
  onNote: (note: string) => void,
): Promise<readonly [number, number, number]> {
  const wishes = [
    { name: 'scopemesh', asked: options.port, usual: PORTS.scopemesh },
    { name: 'Consul', asked: options.consulPort, usual: PORTS.consul },
    { name: 'the identity provider', asked: options.idpPort, usual: PORTS.idp },
  ];
  const [scopemesh = 0, consul = 0, idp = 0] = await Promise.all(
    wishes.map(async ({ name, asked, usual }) => {
      const port = await choosePort({ name, preferred: asked ?? usual, isExplicit: asked !== undefined });
      if (asked === undefined && port !== usual) onNote(`port ${usual} is in use; ${name} uses port ${port}`);
      return port;
    }),
  );
  return [scopemesh, consul, idp];
}

interface ConfigFacts {
  readonly consulAddress: string;
  readonly consulToken: string;
  readonly issuer: string;
  readonly directoryToken: string;
  readonly webhookSecret: string;
  readonly port: number;
}

/** The configuration file of the demo's daemon. It contains its secrets, which are valid only for this demo. */
function toConfigText(facts: ConfigFacts): string {
  const { consulAddress, consulToken, issuer, directoryToken, webhookSecret, port } = facts;
  return `# Written by scopemesh demo for this run. A real file takes its secrets from \${NAME} or \${file:PATH}.
owner: demo
mode: enforce

consul:
  address: ${consulAddress}
  token: ${consulToken}

providers:
  - name: main
    kind: oidc
    issuer: ${issuer}
    directory: ${issuer}/directory
    directoryToken: ${directoryToken}
    webhook: { secrets: ["${webhookSecret}"] }

${SCOPE_RULES}
queue: { kind: embedded }
decisions: { kind: embedded }
http: { listen: 127.0.0.1:${port} }
state: { directory: ./data }
`;
}

interface DemoConsul extends RunningConsul {
  /** `embedded`, or the path of the binary. */
  readonly kind: string;
}

/** Starts the `consul` on the PATH. Starts the embedded one if that fails, or if the user asked for it. */
async function startConsul(
  options: {
    readonly isEmbedded: boolean;
    readonly path: string;
    readonly port: number;
    readonly state: StateDirectory;
    readonly clock: Clock;
    readonly onNote: (note: string) => void;
  },
  signal: AbortSignal,
): Promise<DemoConsul> {
  const { port, state, clock } = options;
  const directory = join(state.path, 'consul');
  const binary = options.isEmbedded ? undefined : await findConsul(options.path);
  if (binary !== undefined) {
    try {
      const place = { binary, port, directory, isKept: state.isKept, clock };
      return { ...(await startConsulChild(place, signal)), kind: binary };
    } catch (error) {
      signal.throwIfAborted();
      options.onNote(`${messageOf(error)}; the demo uses the embedded Consul instead`);
    }
  }
  const { createEmbeddedConsul } = await import('../embedded/consul/embedded-consul.js');
  const consul = await createEmbeddedConsul({
    port,
    ...(state.isKept ? { stateDirectory: directory } : {}),
    defaultPolicy: 'deny',
    clock,
  });
  const { address, managementToken } = consul;
  return { address, managementToken, close: () => consul.close(), kind: 'embedded' };
}
