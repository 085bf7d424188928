using Microsoft.Data.Sqlite;
using Warp.Http.Storage;

namespace Warp.Http.Aggregates;

/// <summary>The file with the definitions can't be read or written. The message names the file and what to do.</summary>
public sealed class DefinitionStoreException : Exception
{
    public DefinitionStoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>True if the same call may succeed later: the file is locked, its disk is full or memory short.</summary>
    public bool IsTransient { get; private init; }

    /// <summary>True if what the file holds is wrong; else it can't be got at, and nothing is known about what it holds.</summary>
    public bool IsDamage { get; internal init; }

    internal static DefinitionStoreException Damaged(string path, Exception? inner = null) => new(
        $"The file {path} is damaged or not a file of definitions; restore it from a backup, or remove it and define the aggregates again.", inner)
    { IsDamage = true };

    internal static DefinitionStoreException Of(string path, SqliteException e) => e.SqliteErrorCode switch
    {
        _ when ReadFailure.IsDamage(e.SqliteExtendedErrorCode) => Damaged(path, e),

        // SQLITE_BUSY, SQLITE_LOCKED
        5 or 6 => new DefinitionStoreException($"The definitions in {path} are locked by another process.", e) { IsTransient = true },

        // SQLITE_CANTOPEN; why, SQLite's provider does not tell.
        14 => new DefinitionStoreException(
            $"The definitions in {path} can't be opened: {e.Message} Either the user that the service runs as may not, or the process may open no more files (ulimit -Hn).", e)
        { IsTransient = true },

        // SQLITE_NOMEM, SQLITE_IOERR, SQLITE_FULL
        7 or 10 or 13 => new DefinitionStoreException($"The definitions in {path} can't be read or written: {e.Message}", e) { IsTransient = true },

        // SQLITE_ERROR: a table or a column is not there, for the statements of this service are right.
        1 => Damaged(path, e),
        _ => new DefinitionStoreException($"The definitions in {path} can't be used: {e.Message}", e),
    };
}
