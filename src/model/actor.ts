/** Who acts through a client: a person, automation, or an AI agent. */
export const ACTOR_KINDS = ['human', 'workload', 'agent'] as const;
export type ActorKind = (typeof ACTOR_KINDS)[number];

/** `unknown` gets the strictest limits of all kinds. */
export const CLASSIFIED_KINDS = [...ACTOR_KINDS, 'unknown'] as const;
export type ClassifiedKind = (typeof CLASSIFIED_KINDS)[number];
