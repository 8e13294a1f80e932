import { countText } from '../../app/count-text.js';
import { createJwksUris, createWorld } from '../../app/create-core.js';
import { providersIn } from '../../app/provider-health.js';
import { type GatewayReport, reportGateways } from '../../app/read-gateways.js';
import type { ConsulFacts } from '../../consul/consul.js';
import { messageOf } from '../../errors.js';
import { selectDirectory } from '../../identity/selected-directory.js';
import { silentLogger } from '../../observe.js';
import { showQuarantines } from '../../operator/quarantine-records.js';
import { parseClientText } from '../../plan/world.js';
import { readConsul } from '../../read/read-consul.js';
import type { WorldState } from '../../state/world-state.js';
import type { Cli } from '../cli.js';
import { defineCommand } from '../command.js';
import { findDaemon } from '../daemon-client.js';
import { aclFindings } from '../doctor/acl-findings.js';
import { consulFindings } from '../doctor/consul-findings.js';
import { daemonFindings, quarantineFindings, type ReportedBlocks } from '../doctor/daemon-findings.js';
import { type Finding, notice, SEVERITIES, type Severity } from '../doctor/finding.js';
import { firstLoginFindings } from '../doctor/first-login-findings.js';
import { foreignFindings } from '../doctor/foreign-findings.js';
import { forwardedUserFindings } from '../doctor/forwarded-user-findings.js';
import { gatewayFindings } from '../doctor/gateway-findings.js';
import { jwtFindings, userRuleFindings } from '../doctor/jwt-findings.js';
import { keyFindings } from '../doctor/key-findings.js';
import { logFindings } from '../doctor/log-findings.js';
import { manifestFindings, resourceFindings } from '../doctor/manifest-findings.js';
import { mappingFindings } from '../doctor/mapping-findings.js';
import { meshFindings } from '../doctor/mesh-findings.js';
import { neighbourFindings } from '../doctor/neighbour-findings.js';
import { protectedFindings } from '../doctor/protected-findings.js';
import { providerFindings } from '../doctor/provider-findings.js';
import { reachFindings } from '../doctor/reach-findings.js';
import { selectFindings } from '../doctor/select-findings.js';
import { storeFindings } from '../doctor/store-findings.js';
import { tokenFindings } from '../doctor/token-findings.js';
import { unreadableFindings } from '../doctor/unreadable-findings.js';
import { findKnownHolds } from '../recorded-holds.js';
import { withProgress } from '../terminal/progress.js';
import { printable, type Screen } from '../terminal/screen.js';

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'check servers, permissions and claims, and say how to fix each problem',
  description:
    'Checks Consul, the identity providers, the queue and the decision log, the permissions of the configured ' +
    'credentials, and whether rules and claims match what exists. Asks the running daemon what waits for a ' +
    'person. Changes nothing.',
  json: 'print one JSON document: findings and summary',
  exit: '0; 1 if one of the findings is an error.',
  examples: ['scopemesh doctor', `scopemesh doctor --json | jq '.findings[] | select(.severity == "error")'`],
  async ask(_, cli) {
    const findings = await withProgress(cli.context.stderr, 'checking', () => examine(cli));
    return { findings, summary: count(findings) };
  },
  print: ({ findings, summary }, { screen }) => print(findings, summary, screen),
  status: ({ summary }) => (summary.error > 0 ? 1 : 0),
});

async function examine(cli: Cli): Promise<readonly Finding[]> {
  const config = await cli.openConfig();
  // Findings report every failure, so the log would repeat it.
  const runtime = { ...(await cli.runtime(true)), logger: silentLogger };
  const { clock } = runtime;
  const adapters = await cli.context.adapters();
  const daemon = await findDaemon(config, cli.signal);
  const health = daemon && providersIn(daemon.status);
  const consul = await adapters.openConsul(config.consul, config.owner, runtime);
  const closers = [() => consul.close()];
  try {
    const world = createWorld(config);
    const providers = await Promise.all(
      config.providers.map(async (settings) => {
        const provider = await adapters.openProvider(settings, config, runtime);
        return { ...provider, directory: selectDirectory(provider.directory, world.mapping.select) };
      }),
    );
    for (const { directory } of providers) closers.push(() => directory.close());
    const [ofConsul, ofStores, ...ofProviders] = await Promise.all([
      consulFindings(config, consul, clock.now, cli.signal),
      storeFindings(config, adapters, runtime),
      ...providers.map((provider) => providerFindings(provider, config, world, health, runtime, cli.signal)),
    ]);
    const isRead = await readConsul(
      { ...runtime, world, consul, jwksUris: createJwksUris(config, runtime) },
      cli.signal,
    ).then(
      () => true,
      () => false,
    );
    // Without a daemon, Consul alone shows which clients are in quarantine.
    if (daemon === undefined)
      await showQuarantines({ ...runtime, world, consul }, cli.signal).catch(() => undefined);
    const facts = await consul.inspect(cli.signal).catch(() => undefined);
    const now = clock.now();
    const { partition = 'default', namespace = 'default' } = config.consul;
    const gateways = isRead
      ? await reportGateways(consul.reachability, world.catalog, { partition, namespace }, cli.signal)
      : undefined;
    return [
      ...(isRead ? protectedFindings(world) : []),
      ...ofConsul,
      ...(await manifestFindings(config, consul, cli.signal)),
      ...(facts === undefined ? [] : await tokenFindings(consul, facts, config, world, now, cli.signal)),
      ...ofProviders.flat(),
      ...ofStores,
      ...(await keyFindings(config, consul.logNote, cli.signal)),
      ...quarantineFindings(clientBlocksIn(world)),
      ...daemonFindings(daemon ?? {}, await findKnownHolds(config, daemon, cli), config, now),
      ...(isRead
        ? [
            ...unreadableFindings(consul),
            ...meshFindings(config, world, now, linkedServices(gateways)),
            ...foreignFindings(world, now),
            ...resourceFindings(world, now),
            ...firstLoginFindings(world, now),
            ...neighbourFindings(config, world),
            ...selectFindings(world),
          ]
        : [UNREAD]),
      ...mappingFindings(world),
      ...userRuleFindings(world.mapping),
      ...(facts === undefined
        ? []
        : [
            ...(isRead ? await reachFindings(consul, world, cli.signal) : []),
            ...(gateways === undefined ? [] : findingsOf(gateways, facts.defaultPolicy, world, now)),
            ...(await aclFindings(config, consul, facts, world.catalog, now, cli.signal)),
            ...(await jwtFindings(consul, facts, world, cli.signal)),
            ...forwardedUserFindings(world),
            ...(await logFindings(consul, facts, world.mapping, cli.signal)),
          ]),
    ];
  } finally {
    for (const close of closers) await close().catch((error: unknown) => cli.screen.warn(messageOf(error)));
  }
}

/** The services that terminating gateways name, registered or not. */
function linkedServices(report: GatewayReport | undefined): ReadonlySet<string> {
  const found = report?.kind === 'read' ? report.gateways.terminating : [];
  return new Set(found.flatMap(({ routes }) => routes.map(({ service }) => service)));
}

function findingsOf(
  report: GatewayReport,
  defaultPolicy: ConsulFacts['defaultPolicy'],
  world: WorldState,
  now: number,
): Iterable<Finding> {
  if (report.kind === 'unread')
    return [
      notice(
        'gateways',
        `routes of gateways are not checked: ${report.trouble}`,
        'check the ACL token: it needs service:read, and mesh:read for the routes of API gateways',
      ),
    ];
  const sendsTo = (serviceName: string) => report.targets.get(serviceName) ?? [serviceName];
  return gatewayFindings(report.gateways, sendsTo, world, defaultPolicy, now);
}

function clientBlocksIn(world: WorldState): ReportedBlocks {
  return [...world.view(0).clientBlocks].map(([text, block]) => ({
    ...parseClientText(text),
    closure: block,
  }));
}

const UNREAD = notice(
  'rules',
  'rules and claims are not checked, because Consul could not be read completely',
  'fix the findings about Consul first',
);

type Summary = Readonly<Record<Severity, number>>;

function count(findings: readonly Finding[]): Summary {
  const of = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
  return { error: of('error'), warning: of('warning'), notice: of('notice'), ok: of('ok') };
}

/** The worst findings come last, next to the prompt. */
function print(findings: readonly Finding[], sum: Summary, screen: Screen): void {
  const { colors } = screen;
  const paint = { error: colors.red, warning: colors.yellow, notice: colors.cyan, ok: colors.green };
  for (const severity of SEVERITIES.toReversed()) {
    for (const { id, message, remedy } of findings.filter((each) => each.severity === severity)) {
      screen.line(
        `${paint[severity](severity.padEnd(7))}  ${printable(message)}  ${colors.dim(printable(id))}`,
      );
      if (remedy !== '') screen.line(`         ${printable(remedy)}`);
    }
  }
  screen.line();
  const words = (['error', 'warning', 'notice'] as const).map((severity) =>
    countText(sum[severity], severity),
  );
  screen.line(colors.bold(`${words.join(', ')}, ${sum.ok} ok.`));
}
