import { incomplete, parseJson } from './answer.js';
import { createReader } from './json.js';
import type { Transport } from './transport.js';

/** Of serf's states: it said itself that it goes for good. */
const LEFT = 3;

/**
 * The versions of all agents of the datacenter, each once, those that cannot be reached now included: they may be back at
 * any moment, with their proxies. From `/v1/agent/members`, which needs node:read on each.
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
  // The agent that answers is a member itself; without a token Consul leaves things out and does not say so.
  if (members.length === 0) throw incomplete(operation, 'the list of agents is empty');
  const staying = members.filter(({ Status }) => Status !== LEFT);
  // `1.16.1:0e046bbb`, with `+ent` before the colon.
  const versions = staying.map(
    ({ Tags }) => reader.optionalText(reader.record(Tags).build).split(':')[0] ?? '',
  );
  return [...new Set(versions)].toSorted();
}
