/** What an org holds, in the few words that tests speak; `wire.ts` puts it into Okta's shapes. */
export interface OktaState {
  readonly apps: AppRecord[];
  readonly servers: ServerRecord[];
  readonly groups: GroupRecord[];
  readonly users: UserRecord[];
  readonly agents: AgentRecord[];
}

export interface AppRecord {
  readonly id: string;
  /** Absent for an app that is no OAuth client. */
  readonly clientId?: string;
  label: string;
  status: 'ACTIVE' | 'INACTIVE' | 'DELETED';
  grantTypes: readonly string[];
  applicationType: string;
  profile: Readonly<Record<string, unknown>>;
  /** Okta API scopes granted by an administrator. */
  orgScopes: readonly string[];
}

export interface ServerRecord {
  readonly id: string;
  readonly audiences: readonly string[];
  status: 'ACTIVE' | 'INACTIVE';
  scopes: ScopeRecord[];
  policies: PolicyRecord[];
}

export interface ScopeRecord {
  readonly id: string;
  readonly name: string;
  readonly system: boolean;
  /** IMPLICIT, FLEXIBLE or REQUIRED, and whatever Okta may think of yet. */
  readonly consent: string;
}

export interface PolicyRecord {
  readonly id: string;
  clients: readonly string[];
  status: 'ACTIVE' | 'INACTIVE';
  rules: RuleRecord[];
}

export interface RuleRecord {
  readonly id: string;
  scopes: readonly string[];
  grantTypes: readonly string[];
  /** Groups, or EVERYONE. */
  people: readonly string[];
  /** Those of them that the rule is not for; absent where Okta writes none. */
  excluded?: { readonly users: readonly string[]; readonly groups: readonly string[] };
  lifetimeMinutes: number;
  status: 'ACTIVE' | 'INACTIVE';
}

export interface GroupRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  members: readonly string[];
}

export interface UserRecord {
  readonly id: string;
  readonly login: string;
  status: string;
}

export interface AgentRecord {
  readonly id: string;
  status: 'ACTIVE' | 'INACTIVE' | 'STAGED';
  readonly appId?: string;
}
