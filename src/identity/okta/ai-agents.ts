import { z } from 'zod';
import { followLink, type OktaApi } from './api.js';
import { incomplete, parseShape } from './pages.js';

/** What the org's register of AI agents says of OAuth clients. */
export interface AiAgents {
  /** Undefined where no agent has to do with the app. */
  of(app: { readonly id: string; readonly clientId: string }): AgentLink | undefined;
}

export interface AgentLink {
  /** Whether the client is the agent itself, and not only the app at which people sign in to it. */
  readonly isItself: boolean;
  /** Only an active agent can use its credentials. */
  readonly isActive: boolean;
}

const PAGE = z.looseObject({
  data: z.array(z.looseObject({ id: z.string().min(1), status: z.string(), appId: z.string().nullish() })),
  _links: z.looseObject({ next: z.looseObject({ href: z.string() }).nullish() }).nullish(),
});

const PAGE_LIMIT = 1000;

/**
 * The AI agents of an org (developer.okta.com/docs/api/secures-ai, AI Agent Registrations; a beta when this was written).
 * An agent's id is its client id; the app linked to it is named by `appId`.
 */
export async function readAiAgents(api: OktaApi, signal: AbortSignal): Promise<AiAgents> {
  const place = `provider ${api.provider}, AI agents`;
  const agents = new Map<string, { readonly isActive: boolean }>();
  const linked = new Map<string, boolean>();
  const seen = new Set<string>();
  const path = ['workload-principals', 'api', 'v1', 'ai-agents'];
  for (let address: URL | undefined = api.address(path, { limit: 200 }); address !== undefined; ) {
    if (seen.has(address.href) || seen.size === PAGE_LIMIT)
      throw incomplete(`${place}: the pages do not end, or lead back to one that was read`);
    seen.add(address.href);
    const { value } = await api.get(address, 'okta.aiAgents.read', place, signal);
    const page = parseShape(PAGE, value, place);
    for (const { id, status, appId } of page.data) {
      if (agents.has(id)) throw incomplete(`${place}: an entry comes twice`);
      const isActive = status === 'ACTIVE';
      agents.set(id, { isActive });
      if (typeof appId === 'string') linked.set(appId, isActive || linked.get(appId) === true);
    }
    const next = page._links?.next?.href;
    address = next === undefined ? undefined : followLink(next, address, place);
  }
  return {
    of({ id, clientId }) {
      const agent = agents.get(clientId);
      if (agent !== undefined) return { isItself: true, isActive: agent.isActive };
      const isActive = linked.get(id);
      return isActive === undefined ? undefined : { isItself: false, isActive };
    },
  };
}
