import { incomplete, parseJson } from './answer.js';
import { createReader } from './json.js';
import type { Transport } from './transport.js';

/** The serf state of a member that left on purpose. */
const LEFT = 3;

/**
 * The versions of all agents of the datacenter, each once, including unreachable agents, which can return at any moment with
 * their proxies. From `/v1/agent/members`, which needs node:read on each node.
 */
export async function readAgentVersions(
  transport: Transport,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const operation = 'agent.members';
  const answer = await transport.send({ operation, method: 'GET', path: '/v1/agent/members' }, signal);
  if (answer.headers['x-consul-results-filtered-by-acls'] === 'true')
    throw incomplete(
      operation,
      'the ACL token cannot read every node, so the list of agents is incomplete; grant it node:read on all nodes',
    );
  const reader = createReader(operation);
  const members = reader.list(parseJson(answer.body, operation)).map(reader.record);
  // The answering agent is a member itself. Without a token Consul omits members silently.
  if (members.length === 0) throw incomplete(operation, 'the list of agents is empty');
  const staying = members.filter(({ Status }) => Status !== LEFT);
  // `1.16.1:0e046bbb`, with `+ent` before the colon.
  const versions = staying.map(
    ({ Tags }) => reader.optionalText(reader.record(Tags).build).split(':')[0] ?? '',
  );
  return [...new Set(versions)].toSorted();
}
