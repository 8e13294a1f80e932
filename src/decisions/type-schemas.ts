import { z } from 'zod';
import { RESOURCE_KINDS, type ResourceKind, VERBS } from '../model/decision.js';
import { CHECKPOINT_EVENT } from './checkpoint.js';
import { EDGE_ACCESS } from './edge-access.js';

type JsonSchema = Readonly<Record<string, unknown>>;

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const OBJECT = { type: ['object', 'null'], description: 'Its content; null: it does not exist.' };
const SETTINGS = {
  type: ['array', 'object', 'null'],
  description: 'What changed in the file, as a list; or the freeze that began or ended.',
};
const ABOUT: Readonly<Record<ResourceKind, string>> = {
  intention: 'one source of an intention, an edge of the mesh',
  claim: "a service's claim on a client",
  client: 'a client that cannot be read, or is in quarantine',
  'jwt-provider': 'a jwt-provider config entry',
  'acl-policy': 'an ACL policy',
  'acl-role': 'an ACL role',
  'acl-binding-rule': 'a binding rule',
  'acl-auth-method': 'an auth method',
  'acl-token': 'tokens that ended',
  event: 'an event',
  config: 'a reload of the configuration',
  sweep: 'a complete comparison',
  leader: 'a change of the leader',
  'break-glass': 'a break-glass grant',
};

/**
 * The JSON Schemas (2020-12) of the events on the topic by their name: one for the decisions about each kind of resource,
 * which refers to `decision.schema.json`, and one for checkpoints. `docs/schemas/` is this, written down.
 */
export function typeSchemas(): ReadonlyMap<string, JsonSchema> {
  return new Map<string, JsonSchema>([
    ...RESOURCE_KINDS.map((kind): [string, JsonSchema] => [kind, ofKind(kind)]),
    [
      'checkpoint',
      ofEvent(CHECKPOINT_EVENT, 'The signed end of the hash chain. Consumers of decisions skip it.'),
    ],
  ]);
}

/** The schema of an event that is no decision. */
function ofEvent(event: z.ZodType, description: string): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(event, { io: 'input' });
  return { $schema, description, ...schema };
}

function ofKind(kind: ResourceKind): JsonSchema {
  const isEdge = kind === 'intention';
  const content = isEdge ? accessSchema() : kind === 'config' ? SETTINGS : OBJECT;
  return {
    $schema: DRAFT,
    title: `scopemesh decision: ${kind}`,
    description: `A decision about ${ABOUT[kind]}.`,
    allOf: [{ $ref: '../decision.schema.json' }],
    type: 'object',
    properties: {
      type: { type: 'string', pattern: `^dev\\.scopemesh\\.${kind}\\.(${VERBS.join('|')})$` },
      data: {
        type: 'object',
        properties: {
          resource: {
            type: 'object',
            properties: { kind: { const: kind } },
            required: requiredOf(kind),
          },
          before: content,
          after: content,
        },
      },
    },
  };
}

function requiredOf(kind: ResourceKind): readonly string[] {
  if (kind === 'intention') return ['kind', 'source', 'destination', 'namespace', 'partition'];
  // A directory may have a record without an ID that can be read.
  return kind === 'client' ? ['kind'] : ['kind', 'name'];
}

function accessSchema(): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(EDGE_ACCESS, { io: 'input' });
  return schema;
}
