import { randomUUID } from 'node:crypto';
import type {
  AgentRecord,
  AppRecord,
  GroupRecord,
  OktaState,
  RuleRecord,
  ServerRecord,
  UserRecord,
} from './state.js';
import { type LoggedEvent, SystemLog, type Target } from './system-log.js';

/**
 * An Okta org that an administrator changes: each change is in the log, and sent to its listeners. Reads may show old
 * state for a while, as they do behind Okta's own caches and search index.
 */
export class OktaOrg {
  readonly log: SystemLog;
  readonly listeners = new Set<(event: LoggedEvent) => void>();
  readonly #state: OktaState = { apps: [], servers: [], groups: [], users: [], agents: [] };
  #old: OktaState | undefined;

  constructor(now: () => number = Date.now) {
    this.log = new SystemLog(now);
    this.#state.apps.push({
      id: newId('0oa'),
      label: 'Okta Admin Console',
      status: 'ACTIVE',
      grantTypes: [],
      applicationType: 'web',
      profile: {},
      orgScopes: [],
    });
  }

  /** What reads show. */
  get shown(): OktaState {
    return this.#old ?? this.#state;
  }

  /** From now on reads show the org as it is at this moment, until `catchUp`. */
  lag(): void {
    this.#old = structuredClone(this.#state);
  }

  catchUp(): void {
    this.#old = undefined;
  }

  addApp(fields: Partial<Omit<AppRecord, 'id'>> = {}): AppRecord {
    const id = newId('0oa');
    const app: AppRecord = {
      id,
      clientId: id,
      label: `App ${id}`,
      status: 'ACTIVE',
      grantTypes: ['client_credentials'],
      applicationType: 'service',
      profile: {},
      orgScopes: [],
      ...fields,
    };
    this.#state.apps.push(app);
    this.#aboutApp('create', app);
    return app;
  }

  changeApp(id: string, change: Partial<Omit<AppRecord, 'id' | 'clientId' | 'status'>>): void {
    const app = this.#app(id);
    Object.assign(app, change);
    this.#aboutApp('update', app);
  }

  setStatus(id: string, status: AppRecord['status']): void {
    const app = this.#app(id);
    app.status = status;
    this.#aboutApp(status === 'ACTIVE' ? 'activate' : 'deactivate', app);
  }

  /** Okta deletes only what was deactivated before. */
  deleteApp(id: string): void {
    const app = this.#app(id);
    if (app.status === 'ACTIVE') this.setStatus(id, 'INACTIVE');
    this.#state.apps.splice(this.#state.apps.indexOf(app), 1);
    this.#aboutApp('delete', app);
  }

  addServer(audience: string, id = newId('aus')): ServerRecord {
    const system = ['openid', 'profile', 'offline_access'];
    const server: ServerRecord = {
      id,
      audiences: [audience],
      status: 'ACTIVE',
      scopes: system.map((name) => ({ id: newId('scp'), name, system: true, consent: 'IMPLICIT' })),
      policies: [],
    };
    this.#state.servers.push(server);
    this.#tell('oauth2.as.created', [{ id, type: 'AuthorizationServer' }]);
    return server;
  }

  setServerStatus(serverId: string, status: ServerRecord['status']): void {
    this.server(serverId).status = status;
    const what = status === 'ACTIVE' ? 'activated' : 'deactivated';
    this.#tell(`oauth2.as.${what}`, [{ id: serverId, type: 'AuthorizationServer' }]);
  }

  deleteServer(serverId: string): void {
    this.#state.servers.splice(this.#state.servers.indexOf(this.server(serverId)), 1);
    this.#tell('oauth2.as.deleted', [{ id: serverId, type: 'AuthorizationServer' }]);
  }

  addScope(serverId: string, name: string, consent = 'IMPLICIT'): void {
    const server = this.server(serverId);
    if (server.scopes.some((scope) => scope.name === name)) return;
    const id = newId('scp');
    server.scopes.push({ id, name, system: false, consent });
    this.#tell('oauth2.scope.created', [{ id, type: 'OAuth2 scope', displayName: name }]);
  }

  deleteScope(serverId: string, name: string): void {
    const server = this.server(serverId);
    const gone = server.scopes.filter((scope) => scope.name === name);
    server.scopes = server.scopes.filter((scope) => scope.name !== name);
    for (const { id } of gone)
      this.#tell('oauth2.scope.deleted', [{ id, type: 'OAuth2 scope', displayName: name }]);
  }

  addPolicy(serverId: string, clients: readonly string[]): string {
    const id = newId('00p');
    this.server(serverId).policies.push({ id, clients, status: 'ACTIVE', rules: [] });
    this.#tell('policy.lifecycle.create', [policyTarget(id)]);
    return id;
  }

  deletePolicy(serverId: string, policyId: string): void {
    const server = this.server(serverId);
    server.policies = server.policies.filter(({ id }) => id !== policyId);
    this.#tell('policy.lifecycle.delete', [policyTarget(policyId)]);
  }

  setPolicyStatus(serverId: string, policyId: string, status: 'ACTIVE' | 'INACTIVE'): void {
    this.#policy(serverId, policyId).status = status;
    const what = status === 'ACTIVE' ? 'activate' : 'deactivate';
    this.#tell(`policy.lifecycle.${what}`, [policyTarget(policyId)]);
  }

  addRule(serverId: string, policyId: string, fields: Partial<Omit<RuleRecord, 'id'>> = {}): string {
    const id = newId('0pr');
    this.#policy(serverId, policyId).rules.push({
      id,
      scopes: ['*'],
      grantTypes: ['client_credentials'],
      people: ['EVERYONE'],
      lifetimeMinutes: 60,
      status: 'ACTIVE',
      ...fields,
    });
    this.#tell('policy.rule.add', [policyTarget(policyId), { id, type: 'PolicyRule' }]);
    return id;
  }

  changeRule(serverId: string, ruleId: string, change: Partial<Omit<RuleRecord, 'id'>>): void {
    for (const policy of this.server(serverId).policies) {
      const rule = policy.rules.find(({ id }) => id === ruleId);
      if (rule === undefined) continue;
      Object.assign(rule, change);
      this.#tell('policy.rule.update', [policyTarget(policy.id), { id: ruleId, type: 'PolicyRule' }]);
    }
  }

  /** An AI agent, with the app linked to it. No event of the log is known for it. */
  addAgent(fields: Partial<Omit<AgentRecord, 'id'>> = {}): AgentRecord {
    const agent: AgentRecord = { id: newId('wlp'), status: 'ACTIVE', ...fields };
    this.#state.agents.push(agent);
    return agent;
  }

  /** Deletes it from the register. */
  removeAgent(id: string): void {
    this.#state.agents.splice(
      this.#state.agents.findIndex((agent) => agent.id === id),
      1,
    );
  }

  addUser(login: string, status = 'ACTIVE'): UserRecord {
    const user = { id: newId('00u'), login, status };
    this.#state.users.push(user);
    return user;
  }

  setUserStatus(login: string, status: string, eventType: string): void {
    const user = this.#state.users.find((each) => each.login === login);
    if (user === undefined) throw new Error(`no user ${login}`);
    user.status = status;
    this.#tell(eventType, [userTarget(user)]);
  }

  deleteUser(login: string): void {
    const user = this.#state.users.find((each) => each.login === login);
    if (user === undefined) throw new Error(`no user ${login}`);
    this.#state.users.splice(this.#state.users.indexOf(user), 1);
    for (const group of this.#state.groups) group.members = group.members.filter((id) => id !== user.id);
    this.#tell('user.lifecycle.delete.initiated', [userTarget(user)]);
  }

  clearSessions(login: string): void {
    const user = this.#state.users.find((each) => each.login === login);
    if (user !== undefined) this.#tell('user.session.clear', [userTarget(user)]);
  }

  addGroup(name: string, type = 'OKTA_GROUP'): GroupRecord {
    const group: GroupRecord = { id: newId('00g'), name, type, members: [] };
    this.#state.groups.push(group);
    this.#tell('group.lifecycle.create', [groupTarget(group)]);
    return group;
  }

  setMembers(groupId: string, users: readonly UserRecord[]): void {
    const group = this.#state.groups.find(({ id }) => id === groupId);
    if (group === undefined) throw new Error(`no group ${groupId}`);
    const before = group.members;
    group.members = users.map(({ id }) => id);
    const known = (id: string) => this.#state.users.filter((user) => user.id === id);
    for (const user of users.filter(({ id }) => !before.includes(id)))
      this.#tell('group.user_membership.add', [userTarget(user), groupTarget(group)]);
    for (const id of before.filter((each) => !group.members.includes(each)))
      for (const user of known(id))
        this.#tell('group.user_membership.remove', [userTarget(user), groupTarget(group)]);
  }

  server(id: string): ServerRecord {
    const server = this.#state.servers.find((each) => each.id === id);
    if (server === undefined) throw new Error(`no authorization server ${id}`);
    return server;
  }

  /** The app as it is, whatever reads show. */
  #app(id: string): AppRecord {
    const app = this.#state.apps.find((each) => each.id === id);
    if (app === undefined) throw new Error(`no app ${id}`);
    return app;
  }

  #policy(serverId: string, policyId: string) {
    const policy = this.server(serverId).policies.find(({ id }) => id === policyId);
    if (policy === undefined) throw new Error(`no policy ${policyId}`);
    return policy;
  }

  #aboutApp(what: string, app: AppRecord): void {
    this.#tell(`application.lifecycle.${what}`, [
      { id: app.id, type: 'AppInstance', alternateId: app.label, displayName: 'OpenID Connect Client' },
    ]);
  }

  #tell(eventType: string, target: readonly Target[]): void {
    const event = this.log.write(eventType, target);
    for (const listener of this.listeners) listener(event);
  }
}

function policyTarget(id: string): Target {
  return { id, type: 'PolicyEntity', detailEntry: { policyType: 'OAuthAuthorizationPolicy' } };
}

function userTarget({ id, login }: UserRecord): Target {
  return { id, type: 'User', alternateId: login, displayName: 'A Person' };
}

function groupTarget({ id, name }: GroupRecord): Target {
  return { id, type: 'UserGroup', displayName: name };
}

/** Twenty characters, as Okta's ids have. */
function newId(prefix: string): string {
  return `${prefix}${randomUUID()
    .replaceAll('-', '')
    .slice(0, 20 - prefix.length)}`;
}
