namespace Warp.Http.Aggregates;

/// <summary>What can't do without a definition, of a later folder; while it uses one, that one can't be deleted. Registered as a service.</summary>
public interface IAggregateUser
{
    /// <summary>What uses the aggregate now, as an operator names it (<c>projection accounts</c>); none = it may go.</summary>
    /// <remarks>
    /// Asked by the thread that deletes, while no definition can change: answer from memory, and wait for nobody who puts or deletes one. Who begins to
    /// use an aggregate first shows it here and then looks whether it is defined: either the deletion sees the use, or the user sees the deletion.
    /// </remarks>
    IReadOnlyCollection<string> UsersOf(string aggregate);
}
