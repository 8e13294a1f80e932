import { shape, type Wire } from './shapes.js';
import type {
  AgentRecord,
  AppRecord,
  GroupRecord,
  PolicyRecord,
  RuleRecord,
  ScopeRecord,
  ServerRecord,
  UserRecord,
} from './state.js';

/** The records of an org in the shapes of its API, with all the fields that the documentation shows. */
export function appToWire(app: AppRecord): Wire {
  const { id, label, status, clientId, grantTypes, applicationType, profile } = app;
  if (clientId === undefined) return shape('other-app', { id, label, status });
  return shape('app', {
    id,
    label,
    status,
    credentials: { oauthClient: { client_id: clientId } },
    settings: { oauthClient: { grant_types: grantTypes, application_type: applicationType } },
    profile,
  });
}

export const grantToWire = (app: AppRecord, scopeId: string, issuer: string): Wire =>
  shape('app-grant', { id: `oag-${app.id}-${scopeId}`, clientId: app.clientId ?? '', scopeId, issuer });

export const serverToWire = (server: ServerRecord, origin: string): Wire =>
  shape('authorization-server', {
    id: server.id,
    name: server.id,
    audiences: server.audiences,
    issuer: `${origin}/oauth2/${server.id}`,
    status: server.status,
  });

export const scopeToWire = ({ id, name, system, consent }: ScopeRecord): Wire =>
  shape('scope', { id, name, system, consent });

export const policyToWire = ({ id, clients, status }: PolicyRecord): Wire =>
  shape('policy', { id, status, conditions: { clients: { include: clients } } });

export const ruleToWire = (rule: RuleRecord): Wire =>
  shape('rule', {
    id: rule.id,
    status: rule.status,
    conditions: {
      people: {
        groups: { include: rule.people, exclude: rule.excluded?.groups ?? [] },
        ...(rule.excluded === undefined ? {} : { users: { include: [], exclude: rule.excluded.users } }),
      },
      grantTypes: { include: rule.grantTypes },
      scopes: { include: rule.scopes },
    },
    actions: { token: { accessTokenLifetimeMinutes: rule.lifetimeMinutes } },
  });

export const groupToWire = ({ id, name, type }: GroupRecord): Wire =>
  shape('group', { id, type, profile: { name, description: null } });

export const userToWire = ({ id, login, status }: UserRecord): Wire =>
  shape('user', { id, status, profile: { login, email: login, firstName: 'A', lastName: 'Person' } });

export const agentToWire = ({ id, status, appId }: AgentRecord): Wire =>
  shape('ai-agent', { id, status, ...(appId === undefined ? {} : { appId }) });
