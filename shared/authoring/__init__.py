"""Help people who write policies: pure functions over policy files, without a port, a store or a clock.

library           definitions, initiatives and assignments, recognized by shape, found by id or name
policy_file       the policies of a file, in the forms in which people keep them
resolution        from files to the effective policies that they bring
lint/             what is wrong, doubtful or could be said better: small rules
formatter         the canonical format of a file, in the key order of key_order
test_case         run test cases; assertion compares a result with what was expected
junit, sarif      results as build servers, code hosts and editors read them
source_location   the line and column of a JSON path
"""
