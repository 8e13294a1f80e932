import { CALLERS, clientOf, GRACE_PROBE } from './world.js';

/** The machine that all instances of a service run on, so that one call takes them all away at one index. */
export function hostOf(service: string): string {
  return `host-of-${service}`;
}

export function instanceId(service: string, instance: number): string {
  return `${service}-${instance}`;
}

/** The body of a catalog registration; without `claim` with the service's own client, if it has one. */
export function registrationOf(
  service: string,
  instance: number,
  options: { readonly claim?: string | null; readonly asTag?: boolean; readonly host?: string } = {},
) {
  const own = CALLERS.includes(service) || service === GRACE_PROBE ? clientOf(service) : null;
  const claim = options.claim === undefined ? own : options.claim;
  const asTag = options.asTag ?? false;
  return {
    Node: options.host ?? hostOf(service),
    Address: '10.0.0.1',
    Service: {
      ID: instanceId(service, instance),
      Service: service,
      Port: 8080 + instance,
      Tags: ['v1', ...(asTag && claim !== null ? [`oauth-client=${claim}`] : [])],
      Meta: !asTag && claim !== null ? { 'oauth-client-id': claim } : {},
    },
  };
}
