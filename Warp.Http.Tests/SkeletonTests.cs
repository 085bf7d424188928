namespace Warp.Http.Tests;

public sealed class SkeletonTests
{
    [Fact]
    public void The_service_assembly_is_named_as_documented() => typeof(Program).Assembly.GetName().Name.ShouldBe("Warp.Http");
}
