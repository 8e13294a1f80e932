import { Cron } from 'croner';
import { z } from 'zod';
import { CLAIM_POLICIES, MODES } from '../src/model/rule.js';
import {
  duration,
  hostPort,
  multiline,
  name,
  parseUrl,
  pattern,
  secret,
  serviceName,
  TARGET_FORM,
  text,
  toggle,
  url,
  wholeNumber,
} from './fields.js';
import { HTTP } from './http-settings.js';
import { PROVIDER } from './providers/providers.js';
import { ACTOR_KIND, SCOPES } from './rule-schema.js';
import { WEBHOOKS } from './webhook-settings.js';

/** The state directory of a file that names none. */
export const STATE_DIRECTORY = './data';

const TLS_FILES = z.strictObject({
  caFile: text().exactOptional(),
  certFile: text().exactOptional(),
  keyFile: text().exactOptional(),
  serverName: text().exactOptional(),
});

const TARGET = z.strictObject(
  {
    kind: z.literal('crd'),
    directory: text().describe('Where the manifests are written; it must exist.'),
    namespace: name()
      .exactOptional()
      .describe('The Kubernetes namespace of the resources. Without it, the tool that applies them chooses.'),
    serviceDefaults: toggle()
      .exactOptional()
      .describe(
        'Whether a rule with methods, paths or headers also writes protocol http for a destination without service-defaults. Connections of another protocol to it break.',
      ),
  },
  `must be a map; write ${TARGET_FORM}`,
);

const CONSUL = z.strictObject({
  address: url('http:', 'https:', 'unix:'),
  token: secret({ mayBeEmpty: true }).exactOptional(),
  datacenter: text().exactOptional(),
  partition: name().exactOptional(),
  namespace: name().exactOptional(),
  tls: TLS_FILES.exactOptional(),
  target: TARGET.exactOptional().describe(
    'Writes intentions as resources for consul-k8s into a directory, instead of to Consul.',
  ),
});

const SERVICES = z.strictObject({
  clientMeta: text()
    .prefault('oauth-client-id')
    .describe("The service meta key that names the service's OAuth client."),
  clientTag: text().prefault('oauth-client=').describe('The prefix of a tag that names the client.'),
  claims: z
    .enum(CLAIM_POLICIES)
    .prefault('confirmed')
    .describe(
      'When a claim counts. confirmed: the client names the service. first: the service claimed the client first.',
    ),
  claimGrace: duration('100ms', '7d')
    .prefault('5m')
    .describe('How long a service without instances keeps its claim.'),
});

const patterns = (of: string) =>
  z
    .array(pattern())
    .min(1, 'must have a pattern; leave the key out to select all')
    .exactOptional()
    .describe(of);

const SELECT = z
  .strictObject({
    services: patterns('Patterns of destinations.'),
    namespaces: patterns('Patterns of namespaces.'),
    partitions: patterns('Patterns of partitions.'),
    clients: patterns('Patterns of client IDs.'),
  })
  .refine(
    (select) => Object.keys(select).length > 0,
    'must have at least one of services, namespaces, partitions and clients; remove it to manage everything',
  );

const ACTOR_LIMIT = z.strictObject({
  maxTokenTtl: duration('1m', '1d').exactOptional(),
  never: z.array(pattern()).prefault([]).describe('Patterns of scopes that this kind may never use.'),
  onBehalfOf: z.literal('human').exactOptional(),
});

const ACTORS = z.strictObject({
  classify: z
    .array(
      z.union(
        [
          z.strictObject({ attribute: text(), equals: text(), kind: ACTOR_KIND }),
          z.strictObject({ clientId: pattern(), kind: ACTOR_KIND }),
        ],
        'must be a map; write { attribute: …, equals: …, kind: … } or { clientId: …, kind: … }',
      ),
    )
    .prefault([])
    .describe('The first match wins; otherwise the grant types decide.'),
  human: ACTOR_LIMIT.prefault({}),
  workload: ACTOR_LIMIT.prefault({}),
  agent: ACTOR_LIMIT.prefault({}),
});

const CRON_FAULT =
  'must be a cron expression that matches a future time; write five fields: minute hour day month weekday';

const GUARDS = z.strictObject({
  maxRevocations: z
    .strictObject({
      percent: wholeNumber(100).prefault(20),
      atLeast: wholeNumber(1_000_000).prefault(10),
      window: duration('1s', '7d').prefault('10m'),
    })
    .prefault({})
    .describe('Inferred removals above max(atLeast, percent of the owned edges) within the window are held.'),
  protected: z.array(serviceName()).prefault([]).describe('Services that scopemesh never opens.'),
  freeze: z
    .array(
      z.strictObject({
        schedule: z
          .string()
          .regex(/^\S+( \S+){4}$/, CRON_FAULT)
          .refine((value) => value.split(' ').length !== 5 || isSchedule(value), CRON_FAULT),
        duration: duration('1m', '366d'),
        timeZone: z
          .string()
          .refine(isTimeZone, 'must be a time zone; write for example Europe/Berlin')
          .prefault('UTC'),
      }),
    )
    .max(100, 'are more than 100 freezes')
    .prefault([])
    .describe('While one of these lasts, only revocations pass.'),
  breakGlass: z
    .strictObject({
      longest: duration('1m', '31d').prefault('4h'),
      never: z.array(serviceName()).prefault([]),
    })
    .exactOptional()
    .describe('Lets people open an edge for some time that the identity provider does not grant.'),
  approvers: wholeNumber(2, 1, 'must be 1 or 2')
    .transform((value): 1 | 2 => (value === 2 ? 2 : 1))
    .prefault(1)
    .describe('How many different persons an approval and a break-glass grant need.'),
});

const QUEUE = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('embedded') }),
  z.strictObject({
    kind: z.literal('bullmq'),
    // A Redis URL may contain the password, so the whole URL is a secret.
    url: secret().refine(
      (value) => /^rediss?:$/.test(parseUrl(value.reveal())?.protocol ?? ''),
      'must be a Redis URL; write redis://host:6379 or rediss://…',
    ),
    allowUnsafeRedis: toggle()
      .prefault(false)
      .describe('Accepts a Redis that may lose or evict jobs; for tests only.'),
  }),
]);

const EVERY_LOG = {
  signingKeyFile: text().exactOptional().describe('The Ed25519 key, in PEM, that signs the decisions.'),
  trustedKeys: z
    .array(
      z
        .string()
        .regex(
          /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/,
          'must be a public key as trail-key.pub has it; write NAME+HASH+KEY',
        ),
    )
    .exactOptional()
    .describe(
      'Public keys besides the own one, as after a change of the key: decisions that they signed count too.',
    ),
  webhooks: WEBHOOKS,
};

const DECISIONS = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('embedded'),
    ...EVERY_LOG,
    keep: duration('1d', '3650d').prefault('400d').describe('How long the embedded log keeps a decision.'),
  }),
  z.strictObject({
    kind: z.literal('kafka'),
    ...EVERY_LOG,
    brokers: z.array(hostPort()).min(1, 'must name a broker; write ["host:9092"]'),
    topic: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,249}$/, 'must be a topic name; use letters, digits, ".", "_" and "-"')
      .prefault('scopemesh.decisions'),
    index: toggle()
      .prefault(true)
      .describe('Whether the relay keeps an index of the topic in `state.directory`, for questions.'),
    keep: duration('1d', '3650d').prefault('400d').describe('How long the index keeps a decision.'),
    tls: z.union([toggle(), TLS_FILES], 'must be on, off or a map; write { caFile: … }').prefault(false),
    sasl: z
      .strictObject({
        mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
        username: text(),
        password: secret(),
      })
      .exactOptional(),
  }),
]);

const TELEMETRY = z.strictObject({
  endpoint: url('http:', 'https:').describe(
    'Where OTLP over HTTP is accepted, without /v1/traces and /v1/metrics.',
  ),
  headers: z
    .record(
      z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header; write letters, digits and "-"'),
      secret(),
    )
    .prefault({})
    .describe('Headers of each request, such as authorization.'),
});

/** The configuration file with expanded references: the definition of the parser and of the JSON Schema. */
export const FILE = z.strictObject({
  $schema: z.string().exactOptional().describe('For editors; scopemesh does not read it.'),
  owner: name().describe('The ownership mark of this instance.'),
  mode: z
    .enum(MODES)
    .describe(
      'observe: write nothing to Consul. extend: add and widen only. enforce: make Consul equal to the identity provider.',
    ),
  select: SELECT.exactOptional().describe(
    'Limits this instance to its part. What is outside is never planned, held, counted or mentioned.',
  ),
  consul: CONSUL,
  providers: z.array(PROVIDER).min(1, 'must name at least one provider'),
  services: SERVICES.prefault({}),
  scopes: SCOPES,
  login: z
    .union([z.literal('registered'), toggle()], 'must be on, off or registered; write one of them')
    .prefault(false)
    .describe(
      'Whether clients may log in to Consul with their OAuth tokens. registered: only once an instance is registered.',
    ),
  groups: z
    .record(text(), z.strictObject({ acl: multiline(), provider: name().exactOptional() }))
    .prefault({})
    .describe('The ACL rules for members of a group or role who log in to Consul.'),
  actors: ACTORS.prefault({}),
  guards: GUARDS.prefault({}),
  queue: QUEUE.prefault({ kind: 'embedded' }),
  decisions: DECISIONS.prefault({ kind: 'embedded' }),
  http: HTTP.prefault({}),
  telemetry: TELEMETRY.exactOptional().describe('Sends traces and metrics by OpenTelemetry.'),
  state: z.strictObject({ directory: text().prefault(STATE_DIRECTORY) }).prefault({}),
  lease: z
    .strictObject({
      ttl: duration('10s', '60s')
        .prefault('10s')
        .describe('After a renewal the session of the leader lives in Consul for this long, up to twice.'),
    })
    .prefault({}),
  resync: duration('1s', '1d').prefault('5m').describe('How often everything is compared with Consul.'),
});

/** The part of it that says where the decisions are. */
export const LOG_FILE = FILE.pick({ owner: true, decisions: true, state: true });
export const DAEMON_FILE = FILE.pick({ owner: true, http: true, state: true });

export type ParsedFile = z.output<typeof FILE>;

/** Whether some instant fits: `0 0 31 2 *` never begins. */
function isSchedule(value: string): boolean {
  try {
    return new Cron(value, { timezone: 'UTC', paused: true }).nextRun(new Date(0)) !== null;
  } catch {
    return false;
  }
}

function isTimeZone(value: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
