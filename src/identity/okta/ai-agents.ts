import { z } from 'zod';
import { readLinkedPages } from '../linked-pages.js';
import { wrongShape } from '../read-errors.js';
import { invalidRecords, parseShape, recordOf, textIn, validRecords } from '../records.js';
import { followLink, type OktaApi } from './api.js';

/**
 * The org's register of AI agents. Undefined if the app belongs to no agent. Throws WrongShape if the record of its agent
 * cannot be parsed.
 */
export type AiAgents = (app: { readonly id: string; readonly clientId: string }) => AgentLink | undefined;

export interface AgentLink {
  /** True if the client is the agent. False if it is only the app at which people sign in to the agent. */
  readonly isItself: boolean;
  /** Only an active agent can use its credentials. */
  readonly isActive: boolean;
}

const AGENT = z.looseObject({ id: z.string().min(1), status: z.string(), appId: z.string().nullish() });
const PAGE = z.looseObject({
  data: z.array(recordOf(AGENT, 'id')),
  _links: z.looseObject({ next: z.looseObject({ href: z.string() }).nullish() }).nullish(),
});

/** Each kind of Okta's objects has its own prefix: workload principals, such as wlpcFogtKCrK9aYq3fgV, which only agents are. */
const AGENT_ID = /^wlp[A-Za-z0-9]{17}$/;

/**
 * Reads the AI agents of an org (developer.okta.com/docs/api/secures-ai/ai-agents, AI Agent Registrations; a beta when this
 * was written). The ID of an agent is its client ID. `appId` names the app that is linked to it. An agent can be deleted
 * only while it is inactive, and only in Okta (help.okta.com, Okta for AI Agents status types), so one that is no longer in
 * the register counts as inactive.
 */
export async function readAiAgents(api: OktaApi, signal: AbortSignal): Promise<AiAgents> {
  const place = `provider ${api.provider}, AI agents`;
  const found = await readLinkedPages({
    place,
    first: api.address(['workload-principals', 'api', 'v1', 'ai-agents'], { limit: 200 }),
    maxPages: 1000,
    read: async (address: URL) => {
      const { value } = await api.get(address, 'okta.aiAgents.read', place, signal);
      const page = parseShape(PAGE, value, place);
      const next = page._links?.next?.href;
      return { entries: page.data, next: next === undefined ? undefined : followLink(next, address, place) };
    },
    idOf: ({ id }) => id,
  });
  const agents = new Map<string, boolean>();
  const linked = new Map<string, boolean>();
  /** By the ID of the agent, or of its app: whether it is active is unknown. */
  const faults = new Map<string, string>();
  for (const { id, fault, raw } of invalidRecords(found)) {
    faults.set(id, fault);
    const appId = textIn(raw, 'appId');
    if (appId !== undefined) faults.set(appId, fault);
  }
  for (const { id, status, appId } of validRecords(found)) {
    const isActive = status === 'ACTIVE';
    agents.set(id, isActive);
    if (typeof appId === 'string') linked.set(appId, isActive || linked.get(appId) === true);
  }
  return ({ id, clientId }) => {
    const fault = faults.get(clientId) ?? faults.get(id);
    if (fault !== undefined) throw wrongShape(place, fault);
    const own = agents.get(clientId);
    if (own !== undefined || AGENT_ID.test(clientId)) return { isItself: true, isActive: own === true };
    const isActive = linked.get(id);
    return isActive === undefined ? undefined : { isItself: false, isActive };
  };
}
