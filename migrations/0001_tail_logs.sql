-- Every record Tailrace keeps. Columns and meaning: log-record/src/record.rs.
CREATE TABLE tail_logs (
    log_id            TEXT PRIMARY KEY,
    worker_name       TEXT NOT NULL,
    request_id        TEXT,
    correlation_id    TEXT,
    log_level         TEXT NOT NULL CHECK (log_level IN ('debug', 'info', 'warn', 'error')),
    message           TEXT NOT NULL,
    context_json      TEXT,
    timestamp         TEXT NOT NULL,
    execution_time_ms INTEGER,
    created_at        TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_tail_logs_timestamp      ON tail_logs (timestamp DESC);
CREATE INDEX idx_tail_logs_correlation_id ON tail_logs (correlation_id);
CREATE INDEX idx_tail_logs_worker_name    ON tail_logs (worker_name);
CREATE INDEX idx_tail_logs_level          ON tail_logs (log_level);
CREATE INDEX idx_tail_logs_created        ON tail_logs (created_at DESC);
