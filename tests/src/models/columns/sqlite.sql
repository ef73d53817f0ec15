CREATE TABLE kinds (
    id BLOB PRIMARY KEY,
    flag BOOLEAN NOT NULL,
    small SMALLINT NOT NULL,
    int INTEGER NOT NULL,
    big BIGINT NOT NULL,
    single REAL NOT NULL,
    double DOUBLE NOT NULL,
    text TEXT NOT NULL,
    bytes BLOB NOT NULL,
    date DATE NOT NULL,
    time TIME NOT NULL,
    moment TIMESTAMP NOT NULL,
    instant TEXT NOT NULL,
    json TEXT NOT NULL,
    jsonb BLOB NOT NULL,
    mood TEXT NOT NULL,
    own_uuid BLOB NOT NULL,
    own_time TEXT NOT NULL,
    own_json TEXT NOT NULL
);
CREATE TABLE nullable_kinds (
    id BLOB PRIMARY KEY,
    flag BOOLEAN,
    small SMALLINT,
    int INTEGER,
    big BIGINT,
    single REAL,
    double DOUBLE,
    text TEXT,
    bytes BLOB,
    date DATE,
    time TIME,
    moment TIMESTAMP,
    instant TEXT,
    json TEXT,
    jsonb BLOB,
    mood TEXT,
    own_uuid BLOB,
    own_time TEXT,
    own_json TEXT
);
CREATE TABLE lossy (id BLOB PRIMARY KEY, price NUMERIC NOT NULL, digits NUMERIC NOT NULL, single DOUBLE NOT NULL);
CREATE TRIGGER round_inserted AFTER INSERT ON lossy BEGIN
    UPDATE lossy SET single = round(single) WHERE id = NEW.id;
END;
CREATE TRIGGER round_updated AFTER UPDATE OF single ON lossy WHEN NEW.single <> round(NEW.single) BEGIN
    UPDATE lossy SET single = round(single) WHERE id = NEW.id;
END;
