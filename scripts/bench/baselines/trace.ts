// What the runtime hands a tail Worker, as far as the baselines read it.

export interface TraceLog {
  timestamp: number;
  level: string;
  message: unknown[];
}

export interface TraceException {
  timestamp: number;
  name: string;
  message: string;
  stack?: string;
}

export interface TraceItem {
  event: {
    request?: { url: string; method: string; headers: Record<string, string> };
    response?: { status: number };
  } | null;
  eventTimestamp: number | null;
  scriptName: string | null;
  outcome: string;
  cpuTime: number;
  wallTime: number;
  logs: TraceLog[];
  exceptions: TraceException[];
}

export type Level = "debug" | "info" | "warn" | "error";
