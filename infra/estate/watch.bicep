// Tells PolicyCortex of changes in one more subscription; main.bicep does it for the one that the app is in:
//   az deployment sub create --subscription ID --location LOCATION --template-file infra/estate/watch.bicep \
//     --parameters storageAccountId=STORAGE_ACCOUNT_ID
targetScope = 'subscription'

@description('The app\'s storage account: the output STORAGE_ACCOUNT_ID of the deployment.')
param storageAccountId string

@description('Where the resource group of the topic is; the topic itself is global.')
param location string = deployment().location

var parts = split(storageAccountId, '/')
var tags = { application: 'policycortex' }

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-cortex-watch'
  location: location
  tags: tags
}

module watch '../modules/watch.bicep' = {
  scope: group
  params: {
    tags: tags
    token: uniqueString(subscription().id, storageAccountId)
    storageSubscription: parts[2]
    storageGroup: parts[4]
    storageName: parts[8]
  }
}
