/**
 * The meaning of each event type of the System Log (developer.okta.com/docs/reference/api/event-types). Other types do not
 * concern scopemesh.
 */
export type TypeEffect =
  /** One app: what the event takes from it. */
  | { readonly about: 'app'; readonly takes: 'nothing' | 'something' | 'enabled' | 'everything' }
  /** Authorization servers: what the event takes from their clients. */
  | { readonly about: 'access'; readonly takes: 'nothing' | 'something' | 'scope' }
  /** Members of groups, who may sign in, and whose sessions ended. */
  | {
      readonly about: 'people';
      readonly takes: 'nothing' | 'something' | 'session';
      readonly whose: 'actor' | 'target';
      readonly changesMembers: boolean;
    };

/** What an event about this takes. */
export type Taken<About> = Extract<TypeEffect, { readonly about: About }>['takes'];

/** `hook`: whether event hooks are subscribed to it. Okta's catalog tags the possible types `event-hook-eligible`. */
type Entry = TypeEffect & { readonly hook: boolean };

const app = (takes: Taken<'app'>, hook: boolean): Entry => ({ about: 'app', takes, hook });
const access = (takes: Taken<'access'>, hook: boolean): Entry => ({ about: 'access', takes, hook });
const people = (
  takes: Taken<'people'>,
  hook: boolean,
  rest: { readonly whose?: 'actor'; readonly changesMembers?: false } = {},
): Entry => ({ about: 'people', takes, hook, whose: 'target', changesMembers: true, ...rest });

const TYPES: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ['application.lifecycle.create', app('nothing', true)],
  ['application.lifecycle.activate', app('nothing', true)],
  ['application.lifecycle.update', app('something', true)],
  ['application.lifecycle.deactivate', app('enabled', true)],
  ['application.lifecycle.delete', app('everything', true)],
  ['app.oauth2.client.lifecycle.create', app('nothing', false)],
  ['app.oauth2.client.lifecycle.activate', app('nothing', false)],
  ['app.oauth2.client.lifecycle.update', app('something', false)],
  ['app.oauth2.client.lifecycle.deactivate', app('enabled', false)],
  ['app.oauth2.client.lifecycle.delete', app('everything', false)],
  ['app.oauth2.client.privilege.grant', app('nothing', true)],
  ['app.oauth2.client.privilege.revoke', app('something', true)],
  ['app.oauth2.admin.consent.grant', app('nothing', false)],
  ['app.oauth2.admin.consent.revoke', app('something', false)],
  ['app.oauth2.credentials.lifecycle.create', app('nothing', false)],
  ['app.oauth2.credentials.lifecycle.activate', app('nothing', false)],
  ['app.oauth2.credentials.lifecycle.deactivate', app('something', false)],
  ['app.oauth2.credentials.lifecycle.delete', app('something', false)],

  ['oauth2.as.created', access('nothing', false)],
  ['oauth2.as.activated', access('nothing', false)],
  ['oauth2.as.updated', access('something', false)],
  ['oauth2.as.deactivated', access('something', false)],
  ['oauth2.as.deleted', access('something', false)],
  ['oauth2.scope.created', access('nothing', false)],
  ['oauth2.scope.updated', access('something', false)],
  ['oauth2.scope.deleted', access('scope', false)],
  ['policy.lifecycle.create', access('nothing', false)],
  ['policy.lifecycle.activate', access('nothing', true)],
  ['policy.lifecycle.update', access('something', true)],
  ['policy.lifecycle.deactivate', access('something', true)],
  ['policy.lifecycle.delete', access('something', false)],
  ['policy.lifecycle.overwrite', access('something', false)],
  ['policy.rule.add', access('nothing', true)],
  ['policy.rule.activate', access('nothing', true)],
  ['policy.rule.update', access('something', true)],
  ['policy.rule.deactivate', access('something', true)],
  ['policy.rule.delete', access('something', true)],
  ['policy.rule.invalidate', access('something', false)],

  ['group.user_membership.add', people('nothing', true)],
  ['group.user_membership.remove', people('something', true)],
  ['group.lifecycle.create', people('nothing', true)],
  ['group.lifecycle.delete', people('something', true)],
  ['group.profile.update', people('something', true)],
  ['user.account.update_profile', people('something', true)],
  ['user.account.lock', people('something', true)],
  ['user.account.unlock', people('nothing', true)],
  ['user.account.unlock_by_admin', people('nothing', true)],
  // A password that is reset or expired makes a user not ACTIVE until another is set. People set passwords often, and a
  // hook without these types would seem to miss each event. The log is fast enough.
  ['user.account.reset_password', people('something', false)],
  ['user.account.expire_password', people('something', false)],
  ['user.account.update_password', people('nothing', false)],
  ['user.lifecycle.activate', people('nothing', true)],
  ['user.lifecycle.reactivate', people('nothing', true)],
  ['user.lifecycle.unsuspend', people('nothing', true)],
  ['user.lifecycle.suspend', people('session', true)],
  ['user.lifecycle.deactivate', people('session', true)],
  ['user.lifecycle.delete.initiated', people('session', true)],
  ['user.session.clear', people('session', true, { changesMembers: false })],
  // Event hooks could carry it, but people sign out often. The log is fast enough.
  ['user.session.end', people('session', false, { whose: 'actor', changesMembers: false })],
  ['user.authentication.universal_logout', people('session', true, { changesMembers: false })],
]);

export function typeEffectOf(type: string): TypeEffect | undefined {
  return TYPES.get(type);
}

/** The types that the log is read for. */
export const LOGGED_TYPES: readonly string[] = [...TYPES.keys()];

/** The types to which an event hook is subscribed. */
export const HOOK_TYPES: readonly string[] = [...TYPES].flatMap(([type, { hook }]) => (hook ? [type] : []));
