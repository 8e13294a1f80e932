import type { Access } from '../model/intention.js';
import type { HttpRequestShape } from '../plan/access.js';
import { type Verdict, verdictOnRequest } from '../plan/explain.js';
import type { ActualAccess } from '../plan/plan.js';
import type { TrailEdge } from './edge.js';

type JudgeHttp = (access: Extract<Access, { kind: 'http' }>, request: HttpRequestShape) => Verdict;

/** For an edge that a crash left in doubt: only what both outcomes say alike. `judgeHttp` judges by methods and paths. */
export function verdictOn(
  { access, possible, certainty }: TrailEdge,
  request: HttpRequestShape | undefined,
  judgeHttp?: JudgeHttp,
): Verdict {
  const now = judgeAccess(access, request, judgeHttp);
  return certainty === 'unknown' && judgeAccess(possible, request, judgeHttp) !== now ? 'unclear' : now;
}

export function judgeAccess(
  access: ActualAccess,
  request: HttpRequestShape | undefined,
  judgeHttp: JudgeHttp = verdictOnRequest,
): Verdict {
  switch (access?.kind) {
    case undefined:
    case 'deny':
      return 'denied';
    case 'allow':
      return 'allowed';
    case 'other':
      return 'unclear';
    case 'http':
      return request === undefined ? 'partly' : judgeHttp(access, request);
  }
}
