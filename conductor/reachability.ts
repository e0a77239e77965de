import type { BoxStatus } from '../contract/conductor.ts';

type Unreachable = BoxStatus['unreachable'][number];
export type Service = Unreachable['service'];

/** Which services the box could not reach when it last tried, for `GET /api/status`. */
export interface Reachability {
  /** `reason` is for people; it holds no secret. */
  failed(service: Service, reason: string): void;
  worked(service: Service): void;
  list(): Unreachable[];
}

/** Remembers when each service began to fail. `now`: milliseconds since the epoch. */
export function createReachability(now: () => number): Reachability {
  const failing = new Map<Service, Unreachable>();
  return {
    failed(service, reason) {
      const since = failing.get(service)?.since ?? new Date(now()).toISOString();
      failing.set(service, { service, since, reason });
    },
    worked: (service) => void failing.delete(service),
    list: () => [...failing.values()],
  };
}
