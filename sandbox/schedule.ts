import type { Clock } from './clock.ts';

/** Longest sleep of the timer: what ends in months is looked at again within the hour. */
const LONGEST_MS = 3_600_000;

export interface Schedule {
  /** Settles what is due now and sleeps until the next. Call after each change and before each answer. */
  wake(): void;
  close(): void;
}

export interface ScheduleOptions {
  clock: Clock;
  /** When the next thing falls due, in milliseconds since the epoch; undefined for nothing. */
  nextDue: () => number | undefined;
  /** Does what is due at `now`. Must move `nextDue` past it, or the schedule would never sleep. */
  settle: (now: number) => void;
}

/** Lets states move on by themselves, along a clock that can be pushed forward, without a timer per thing. */
export function createSchedule({ clock, nextDue, settle }: ScheduleOptions): Schedule {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const wake = (): void => {
    if (closed) return;
    clearTimeout(timer);
    let due = nextDue();
    while (due !== undefined && due <= clock.now().getTime()) {
      settle(clock.now().getTime());
      due = nextDue();
    }
    if (due === undefined) return;
    timer = setTimeout(wake, Math.min(due - clock.now().getTime(), LONGEST_MS));
    timer.unref();
  };
  const endListening = clock.onAdvance(wake);
  return {
    wake,
    close() {
      closed = true;
      clearTimeout(timer);
      endListening();
    },
  };
}

/** The earliest of some times, in milliseconds since the epoch. */
export function earliest(times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** A moment `months` calendar months later, on the last day of the month where the day doesn't exist. */
export function addMonths(from: Date, months: number): Date {
  const to = new Date(from);
  to.setUTCDate(1);
  to.setUTCMonth(to.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();
  to.setUTCDate(Math.min(from.getUTCDate(), lastDay));
  return to;
}
