import EventLoop
import Testing

@Suite struct CivilTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_740_787_199_999, "2025-02-28T23:59:59.999Z"), (1_709_251_200_007, "2024-03-01T00:00:00.007Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func asRFC3339(milliseconds: Int64, text: String) {
        #expect(CivilTime(milliseconds: milliseconds).preciseText == text)
    }
}
