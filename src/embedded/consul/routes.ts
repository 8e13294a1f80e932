import { aclAuthMethodRoutes } from './api/acl-auth-methods.js';
import { aclBindingRuleRoutes } from './api/acl-binding-rules.js';
import { aclLoginRoutes } from './api/acl-login.js';
import { aclPolicyRoutes } from './api/acl-policies.js';
import { aclRoleRoutes } from './api/acl-roles.js';
import { aclTokenRoutes } from './api/acl-tokens.js';
import { agentRoutes } from './api/agent.js';
import { catalogRoutes } from './api/catalog.js';
import { configEntryRoutes } from './api/config-entries.js';
import { healthRoutes } from './api/health.js';
import { intentionRoutes } from './api/intentions.js';
import { kvRoutes } from './api/kv.js';
import { sessionRoutes } from './api/sessions.js';
import { statusRoutes } from './api/status.js';
import { transactionRoutes } from './api/transactions.js';
import type { Route } from './server-context.js';

/** Every path that is served. */
export const routes: readonly Route[] = [
  ...aclAuthMethodRoutes,
  ...aclBindingRuleRoutes,
  ...aclLoginRoutes,
  ...aclPolicyRoutes,
  ...aclRoleRoutes,
  ...aclTokenRoutes,
  ...agentRoutes,
  ...catalogRoutes,
  ...configEntryRoutes,
  ...healthRoutes,
  ...intentionRoutes,
  ...kvRoutes,
  ...sessionRoutes,
  ...statusRoutes,
  ...transactionRoutes,
];
