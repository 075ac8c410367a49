"""The canary gate: is the version that is rolled out worse than the stable one?"""
