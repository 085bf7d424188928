using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

/// <summary>
/// The step at which a run that was built comes to count: the catalog names it, then the view shows it. A catalog write that fails may have
/// happened nevertheless, its last sync being what failed. Then the catalog decides, as soon as it can be read: until that is settled no
/// other file may be named, or a second run would be put over the same positions.
/// </summary>
/// <remarks>Each thread that names runs has one of its own.</remarks>
internal sealed partial class PendingRun(Catalog catalog, ILogger logger)
{
    private Run? _run;
    private Action? _apply;

    /// <summary>Names a run and, if the catalog has it then, applies what follows from that. Else the file is deleted and the error rethrown.</summary>
    /// <param name="run">Durable, and nobody's yet.</param>
    /// <param name="name">The catalog's transaction; false = it was not begun, since the shard is out of service.</param>
    /// <param name="apply">Must not fail.</param>
    /// <returns>True if the run counts.</returns>
    public bool Name(Run run, Func<bool> name, Action apply)
    {
        (_run, _apply) = (run, apply);
        try
        {
            if (!name())
            {
                Discard(run);
                return false;
            }
        }
        catch (IOException e)
        {
            if (!Settle()) throw;
            LogHappened(logger, e);
            return true;
        }

        Apply();
        return true;
    }

    /// <summary>Asks the catalog about a run in doubt. True if it was named, so that what follows from that is applied now.</summary>
    /// <exception cref="StorageException">The catalog cannot be read: nothing is settled.</exception>
    public bool Settle()
    {
        if (_run is not { } run) return false;
        if (catalog.Runs().Exists(entry => entry.Id == run.Id))
        {
            Apply();
            return true;
        }

        Discard(run);
        return false;
    }

    private void Discard(Run run)
    {
        _run = null;
        run.Dispose();
        File.Delete(run.Path);
    }

    private void Apply()
    {
        _run = null;
        _apply!();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A catalog write failed, but the catalog has it.")]
    private static partial void LogHappened(ILogger logger, Exception e);
}
