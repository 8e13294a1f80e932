/** Who stands behind a client: a person, automation, or an AI agent. */
export type ActorKind = 'human' | 'workload' | 'agent';

export const ACTOR_KINDS: readonly ActorKind[] = ['human', 'workload', 'agent'];

/** `unknown` gets the strictest limits of all kinds. */
export type ClassifiedKind = ActorKind | 'unknown';
