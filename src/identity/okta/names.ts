import { createNameCache } from '../name-cache.js';

/**
 * The names that directory reads found for IDs, because many events carry only an ID. They serve evidence and shortcuts,
 * never correctness: they are empty after a start, and in a process that reads no directory.
 */
export class OktaNames {
  /** Client IDs by app ID, and app IDs by client ID. */
  readonly clientIds = createNameCache<string>();
  readonly appIds = createNameCache<string>();
  /** The scopes of the authorization servers that count, by scope ID. */
  readonly scopes = createNameCache<{ readonly api: string; readonly name: string }>();
  /** The clients of a policy, by its ID and by the IDs of its rules: client IDs, or `ALL_CLIENTS`. */
  readonly policies = createNameCache<readonly string[]>();

  addClient(appId: string, clientId: string): void {
    this.clientIds.set(appId, clientId);
    this.appIds.set(clientId, appId);
  }
}
