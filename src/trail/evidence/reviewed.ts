import type { Decision } from '../../model/decision.js';
import type { Citation, TrailEdge } from '../edge.js';
import type { TrailObject } from '../what-can.js';

/** What is reviewed: every edge and every ACL object that was there at the end of the period. */
export interface ReviewedEdge extends TrailEdge {
  readonly reason: Citation['reason'];
}

export interface ReviewedObject extends TrailObject {
  readonly client?: Decision['client'];
  readonly person?: Decision['person'];
}

/** What was there at one instant. */
export interface Reviewed {
  readonly edges: readonly ReviewedEdge[];
  readonly acl: readonly ReviewedObject[];
}
