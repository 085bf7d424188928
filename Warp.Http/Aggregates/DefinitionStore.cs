using Microsoft.Data.Sqlite;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <summary>A stored version of a definition.</summary>
internal sealed record StoredDefinition(string Name, int Version, long WrittenAtMs, byte[] Body);

/// <summary>Definitions on disk: a row a version, kept for ever, so that a version number never means two things.</summary>
/// <remarks>
/// One thread at a time. A definition is written rarely and must survive its answer: a rollback journal with synchronous=FULL needs no
/// second file between writes and no checkpoint.
/// </remarks>
internal sealed class DefinitionStore : IDisposable
{
    /// <summary>Written into the file's header (<c>PRAGMA user_version</c>); another number is another layout.</summary>
    private const int Format = 2;

    private readonly string _path;
    private readonly SqliteConnection _connection;
    private SqliteTransaction? _transaction;

    private DefinitionStore(string path, SqliteConnection connection)
    {
        _path = path;
        _connection = connection;
    }

    /// <exception cref="DefinitionStoreException">The file is damaged, locked, of another format, or can't be created.</exception>
    public static DefinitionStore Open(string path, int busySeconds)
    {
        var settings = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = busySeconds };
        var connection = new SqliteConnection(settings.ToString());
        try
        {
            connection.Open();
            var store = new DefinitionStore(path, connection);
            store.Prepare();
            return store;
        }
        catch (SqliteException e)
        {
            connection.Dispose();
            throw DefinitionStoreException.Of(path, e);
        }
        catch (Exception e) when (e is InvalidCastException or InvalidOperationException or OverflowException or ArgumentException)
        {
            // A value of another type than was stored.
            connection.Dispose();
            throw DefinitionStoreException.Damaged(path, e);
        }
        catch (DefinitionStoreException)
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file that is there, besides who writes it; what it holds was checked when that one opened it.</summary>
    public static DefinitionStore OpenToRead(string path, int busySeconds)
    {
        var settings = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly, Pooling = false, DefaultTimeout = busySeconds };
        var connection = new SqliteConnection(settings.ToString());
        try
        {
            connection.Open();
            return new DefinitionStore(path, connection);
        }
        catch (SqliteException e)
        {
            connection.Dispose();
            throw DefinitionStoreException.Of(path, e);
        }
    }

    /// <summary>The versions that stand, the latest of each name that is not deleted, with when the name was first defined.</summary>
    public IReadOnlyList<(StoredDefinition Latest, long CreatedAtMs)> ReadCurrent() => Guard(() =>
    {
        using var command = Command(
            """
            SELECT name, version, written_ms, body, crc, min(written_ms) OVER (PARTITION BY name) AS created_ms,
                   row_number() OVER (PARTITION BY name ORDER BY version DESC) AS latest
            FROM definition WHERE NOT deleted ORDER BY name
            """);
        using var reader = command.ExecuteReader();
        var found = new List<(StoredDefinition, long)>();
        while (reader.Read())
            if (reader.GetInt64(6) == 1) found.Add((Read(reader), reader.GetInt64(5)));
        return found;
    });

    /// <summary>The versions of a name since it was last deleted, newest first.</summary>
    public List<StoredDefinition> ReadVersions(string name, int before, int countMax, long bytesMax, out bool hasMore)
    {
        var versions = new List<StoredDefinition>();
        hasMore = Guard(() =>
        {
            long bytes = 0;
            foreach (var stored in EnumerateVersions(name, before))
            {
                bytes += stored.Body.Length;
                if (versions.Count == countMax || (versions.Count > 0 && bytes > bytesMax)) return true;
                versions.Add(stored);
            }

            return false;
        });
        return versions;
    }

    /// <summary>Writes the next version and answers its number; durable on return.</summary>
    public int Add(string name, long writtenAtMs, byte[] body) => InTransaction(() =>
    {
        using var command = Command(
            """
            INSERT INTO definition(name, version, written_ms, body, crc, deleted)
            SELECT $name, coalesce(max(version), 0) + 1, $written, $body, $crc, 0 FROM definition WHERE name = $name
            RETURNING version
            """);
        command.Parameters.AddWithValue("$name", name);
        command.Parameters.AddWithValue("$written", writtenAtMs);
        command.Parameters.AddWithValue("$body", body);
        command.Parameters.AddWithValue("$crc", (long)Crc32C.Compute(body));
        var version = Convert.ToInt32(command.ExecuteScalar());
        ChangeDigest(DefinitionDigest.Of(name, version, writtenAtMs, deleted: false, body));
        return version;
    });

    /// <summary>Marks every version of a name as deleted; durable on return.</summary>
    public void Delete(string name) => InTransaction(() =>
    {
        ulong change = 0;
        foreach (var stored in EnumerateVersions(name, int.MaxValue))
        {
            change -= DefinitionDigest.Of(name, stored.Version, stored.WrittenAtMs, deleted: false, stored.Body);
            change += DefinitionDigest.Of(name, stored.Version, stored.WrittenAtMs, deleted: true, stored.Body);
        }

        ChangeDigest(change);
        using var command = Command("UPDATE definition SET deleted = 1 WHERE name = $name");
        command.Parameters.AddWithValue("$name", name);
        return command.ExecuteNonQuery();
    });

    public void Dispose() => _connection.Dispose();

    /// <summary>Newest first, each read when it is asked for: all of them may be large.</summary>
    private IEnumerable<StoredDefinition> EnumerateVersions(string name, int before)
    {
        using var command = Command(
            "SELECT name, version, written_ms, body, crc FROM definition WHERE name = $name AND NOT deleted AND version < $before ORDER BY version DESC");
        command.Parameters.AddWithValue("$name", name);
        command.Parameters.AddWithValue("$before", before);
        using var reader = command.ExecuteReader();
        while (reader.Read()) yield return Read(reader);
    }

    private void Prepare()
    {
        var format = Convert.ToInt32(Scalar("PRAGMA user_version"));
        if (format is not (0 or Format))
            throw new DefinitionStoreException(
                $"The definitions in {_path} have format {format}; this version of the service reads format {Format}.");
        Scalar("PRAGMA journal_mode = TRUNCATE");
        Scalar("PRAGMA synchronous = FULL");

        // One transaction: a crash leaves either no tables and format 0, or all.
        if (format == 0)
        {
            Scalar(
                $"""
                BEGIN IMMEDIATE;
                CREATE TABLE definition(
                    name TEXT NOT NULL, version INTEGER NOT NULL, written_ms INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL,
                    deleted INTEGER NOT NULL, PRIMARY KEY (name, version)) STRICT, WITHOUT ROWID;
                CREATE TABLE digest(value INTEGER NOT NULL) STRICT;
                INSERT INTO digest VALUES(0);
                PRAGMA user_version = {Format};
                COMMIT
                """);
        }

        // Definitions are few and small: the whole file is checked at every start. SQLite's own check looks at the structure of pages.
        if (Scalar("PRAGMA quick_check") is not "ok" || !DigestMatches()) throw DefinitionStoreException.Damaged(_path);
    }

    private bool DigestMatches()
    {
        ulong digest = 0;
        using var command = Command("SELECT name, version, written_ms, body, crc, deleted FROM definition");
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var stored = Read(reader);
            digest += DefinitionDigest.Of(stored.Name, stored.Version, stored.WrittenAtMs, reader.GetInt64(5) != 0, stored.Body);
        }

        return Scalar("SELECT value FROM digest") is long kept && kept == unchecked((long)digest);
    }

    /// <summary>Moved by what changes, not computed anew: what was damaged meanwhile stays a contradiction.</summary>
    private void ChangeDigest(ulong change)
    {
        var digest = unchecked((long)((ulong)(long)Scalar("SELECT value FROM digest")! + change));
        using var command = Command("UPDATE digest SET value = $value");
        command.Parameters.AddWithValue("$value", digest);
        command.ExecuteNonQuery();
    }

    private T InTransaction<T>(Func<T> body) => Guard(() =>
    {
        using var transaction = _connection.BeginTransaction(deferred: false);
        _transaction = transaction;
        try
        {
            var result = body();
            transaction.Commit();
            return result;
        }
        finally
        {
            _transaction = null;
        }
    });

    private object? Scalar(string sql)
    {
        using var command = Command(sql);
        return command.ExecuteScalar();
    }

    private SqliteCommand Command(string sql)
    {
        var command = _connection.CreateCommand();
        command.Transaction = _transaction;
#pragma warning disable CA2100 // Constant texts of this class; values are parameters.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }

    private T Guard<T>(Func<T> body)
    {
        try
        {
            return body();
        }
        catch (SqliteException e)
        {
            throw DefinitionStoreException.Of(_path, e);
        }
    }

    private StoredDefinition Read(SqliteDataReader reader)
    {
        // SQLite's own check looks at the structure of pages, not at what is in them.
        var body = reader.GetFieldValue<byte[]>(3);
        if (Crc32C.Compute(body) != (uint)reader.GetInt64(4)) throw DefinitionStoreException.Damaged(_path);
        return new StoredDefinition(reader.GetString(0), reader.GetInt32(1), reader.GetInt64(2), body);
    }
}
